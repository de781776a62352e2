"""Rebuild a photograph from the gradient of one training step, and keep what it looks like on the way.

    python -m examples.invert_gradient

Deep Leakage from Gradients with the label known, against the untrained LeNet of its paper. It writes
``dog_32.png``, the original at 32x32, and ``dog_32/<iteration>.png``, the reconstruction after that many iterations.
"""

import sys
from dataclasses import replace

import numpy as np
from PIL import Image

from examples.make_images import IMAGES
from semsim.images import decode
from semsim_training.attacks.presets import preset
from semsim_training.attacks.search import Search
from semsim_training.images.folder import square
from semsim_training.observations.client import Protocol, observe
from semsim_training.observations.observation import Victim
from semsim_training.victims.description import Architecture, Network

SIDE = 32
LABEL = 5
KEPT = (40, 100, 200, 600)
SEED = 3


def main() -> None:
    """Attack and write the images."""
    original = square(decode(IMAGES / "dog.jpg"), SIDE)
    Image.fromarray(original).save(IMAGES / "dog_32.png")
    network = Network(architecture=Architecture.LENET, classes=100, size=SIDE)
    victim = Victim(network.build(SEED, "uniform"), network)
    observation = observe(victim, original[None], np.array([LABEL]), Protocol(), SEED)
    folder = IMAGES / "dog_32"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for iterations in KEPT:
        # The same seed takes the same way, so a shorter search stops where a longer one passes.
        (found,) = Search(replace(preset("idlg"), iterations=iterations), [observation], [SEED]).run()
        sys.stderr.write(f"iteration {iterations}: gradient distance {found.objective:.3g}\n")
        Image.fromarray(found.images[0]).save(folder / f"{iterations:03}.png")


if __name__ == "__main__":
    main()
