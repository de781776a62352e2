"""Rebuild a photograph from the gradient of one training step, and keep the reconstructions on the way.

    python -m examples.invert_gradient

The attack is Deep Leakage from Gradients with a known label, on the untrained LeNet of its paper. The program writes
``cat_32.png``, the original at 32x32, and ``cat_32/<iterations>.png``, its reconstructions after so many iterations.
"""

import sys
from dataclasses import replace

import numpy as np
from PIL import Image

from examples.make_images import IMAGES
from semsim.images import decode
from semsim_training.attacks.presets import preset
from semsim_training.attacks.search import Search
from semsim_training.client_images.folder import square
from semsim_training.observations.client_side import Protocol, observe
from semsim_training.observations.observation import Victim
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Architecture, Network

SIDE = 32
LABEL = 5
KEPT = (40, 100, 200, 600)
SEED = 7


def main() -> None:
    """Attack and write the images."""
    original = square(decode(IMAGES / "cat.jpg"), SIDE)
    Image.fromarray(original).save(IMAGES / "cat_32.png")
    network = Network(architecture=Architecture.LENET, classes=100, size=SIDE)
    victim = Victim(build_network(network, SEED, "uniform"), network.inputs)
    observation = observe(victim, original[None], np.array([LABEL]), Protocol(), SEED)
    folder = IMAGES / "cat_32"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for iterations in KEPT:
        # A shorter search with the same seed ends at a moment of the longer one.
        (result,) = Search(replace(preset("idlg"), iterations=iterations), [observation], [SEED]).run()
        sys.stderr.write(f"iteration {iterations}: gradient distance {result.objective:.3g}\n")
        Image.fromarray(result.images[0]).save(folder / f"{iterations:03}.png")


if __name__ == "__main__":
    main()
