"""The leakage of clients after three local steps, by their optimiser.

python -m benchmarks.local_training [--write FILE]
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.reports import options, publish, table
from semsim import Scorer
from semsim.pixel_metrics import mse, psnr
from semsim_training.attacks.presets import preset
from semsim_training.attacks.search import Search
from semsim_training.client_images.labelled import LabelledImages
from semsim_training.client_images.source import ImageSource
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.client import Protocol, observe
from semsim_training.observations.observation import Victim
from semsim_training.reconstructions.partners import partners
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Architecture, Network

CLIENTS = 4
STEPS = 3
SGD = LocalTraining(0.01, 1)
ADAM = LocalTraining(1e-3, 1, optimiser="adam")
TRAININGS = {
    "SGD, rate .01": SGD,
    "SGD with momentum .9": replace(SGD, momentum=0.9),
    "Adam, rate .001": ADAM,
    "AdamW, rate .001, decay .01": replace(ADAM, optimiser="adamw", weight_decay=0.01),
    "SGD, five images in batches of two": replace(SGD, batch_size=2),
    "Adam, five images in batches of two": replace(ADAM, batch_size=2),
}


def main() -> None:
    """Print the table; with ``--write`` keep it in a page."""
    arguments = options(__doc__, "local-training", images=True).parse_args()
    images = ImageSource(folder=arguments.data / "cifar10" / "test", name="cifar10", size=32).load()
    rows = [_row(name, training, images) for name, training in TRAININGS.items()]
    what = (
        f"{CLIENTS} clients of three steps on LeNet (`uniform`), test images of CIFAR-10, `smooth`, "
        f"{preset('smooth').iterations} iterations."
    )
    head = ["local training", "leakage", "PSNR", "explained, least"]
    publish(f"{what}\n\n{table(head, rows)}", "local-training", arguments.write)


def _row(name: str, training: LocalTraining, images: LabelledImages) -> list[str]:
    network = Network(architecture=Architecture.LENET, classes=10, size=32)
    victim = Victim(build_network(network, 0, "uniform"), network.inputs)
    held = STEPS * training.batch_size - (training.batch_size - 1)  # the last batch is one image
    chosen = images.take(_spread(images.labels, CLIENTS * held))
    parts = [slice(client * held, (client + 1) * held) for client in range(CLIENTS)]
    protocol = Protocol(local_training=training)
    seen = [observe(victim, chosen.images[part], chosen.labels[part], protocol, seed=0) for part in parts]
    results = Search(preset("smooth"), seen, list(range(CLIENTS))).run()
    leakages: list[float] = []
    decibels: list[float] = []
    for part, result in zip(parts, results, strict=True):
        originals = chosen.images[part]
        made = result.images[partners(originals, result.images)]
        scores = Scorer().score_images(list(originals), list(made))
        leakages += [score.leakage for score in scores if score.leakage is not None]
        decibels += psnr(mse(originals, made)).tolist()
    shares = [0.0 if result.explanation is None else result.explanation.share for result in results]
    return [name, f"{np.mean(leakages):.3f}", f"{np.mean(decibels):.1f}", f"{min(shares):.2f}"]


def _spread(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The places of images of random classes, each at another place within its class."""
    rng = np.random.default_rng(5)
    return np.array([np.flatnonzero(labels == rng.integers(10))[place] for place in range(count)])


if __name__ == "__main__":
    main()
