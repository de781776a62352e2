"""The leakage of clients after three local steps, by their optimiser.

python -m benchmarks.local_training [--write FILE]
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.reports import options, publish
from semsim import Scorer
from semsim.pixel_metrics import mse, psnr
from semsim_training.attacks.presets import preset
from semsim_training.attacks.search import Search
from semsim_training.client_images.labelled import LabelledImages
from semsim_training.client_images.source import ImageSource
from semsim_training.gradients.update import LocalTraining
from semsim_training.markdown import table
from semsim_training.observations.client_side import Protocol, observe
from semsim_training.observations.observation import Victim
from semsim_training.reconstructions.comparison import DRAWS
from semsim_training.reconstructions.partners import partners
from semsim_training.statistics.bootstrap import resampled
from semsim_training.statistics.intervals import Floats, percentiles
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Architecture, Network

CLIENTS = 40
STEPS = 3
HELD = 5
"""The images of a client. Those that train on one image in each step hold the first three of them."""
FIRST = 100
"""The first place within a class. The attack on Adam was chosen on images before it."""
SGD = LocalTraining(0.01, 1)
ADAM = LocalTraining(1e-3, 1, optimiser="adam")
SHORT = replace(SGD, batch_size=2)
TRAININGS = {
    "SGD, rate .01": (SGD, SGD),
    "SGD with momentum .9": (replace(SGD, momentum=0.9), SGD),
    "Adam, rate .001": (ADAM, SGD),
    "AdamW, rate .001, decay .01": (replace(ADAM, optimiser="adamw", weight_decay=0.01), SGD),
    "SGD, five images in batches of two": (SHORT, SGD),
    "Adam, five images in batches of two": (replace(ADAM, batch_size=2), SHORT),
}
"""A local training, and the one whose leakage its own is compared with."""


def main() -> None:
    """Print the table; with ``--write`` keep it in a page."""
    arguments = options(__doc__, "local-training", images=True).parse_args()
    images = ImageSource(folder=arguments.data / "cifar10" / "test", name="cifar10", size=32).load()
    clients = images.take(_spread(images.labels, CLIENTS * HELD))
    leakages: dict[LocalTraining, Floats] = {}
    rows = []
    for name, (training, other) in TRAININGS.items():
        leakages[training], cells = _attacked(training, clients)
        apart = "" if training is other else _apart(leakages[training] - leakages[other])
        rows.append([name, f"{leakages[training].mean():.3f}", apart, *cells])
    what = (
        f"{CLIENTS} clients of three steps on LeNet (`uniform`), test images of CIFAR-10, `smooth`, "
        f"{preset('smooth').iterations} iterations. Differences are means over the same clients: from SGD "
        "in steps of one image, and for Adam on five images from SGD on five; 95% intervals, bootstrap over clients."
    )
    head = ["local training", "leakage", "difference", "PSNR", "explained, least"]
    publish(f"{what}\n\n{table(head, rows)}", "local-training", arguments.write)


def _attacked(training: LocalTraining, held: LabelledImages) -> tuple[Floats, list[str]]:
    """Each client's mean leakage, and the mean PSNR and the least explained share of all clients."""
    network = Network(architecture=Architecture.LENET, classes=10, size=32)
    victim = Victim(build_network(network, 0, "uniform"), network.inputs)
    used = STEPS * training.batch_size - (training.batch_size - 1)  # the last batch is one image
    parts = [slice(client * HELD, client * HELD + used) for client in range(CLIENTS)]
    protocol = Protocol(local_training=training)
    seen = [observe(victim, held.images[part], held.labels[part], protocol, seed=0) for part in parts]
    results = Search(preset("smooth"), seen, list(range(CLIENTS))).run()
    leakages: list[float] = []
    decibels: list[float] = []
    for part, result in zip(parts, results, strict=True):
        originals = held.images[part]
        made = result.images[partners(originals, result.images)]
        scores = Scorer().score_images(list(originals), list(made))
        leakages.append(float(np.mean([score.leakage for score in scores if score.leakage is not None])))
        decibels += psnr(mse(originals, made)).tolist()
    shares = [0.0 if result.explanation is None else result.explanation.share for result in results]
    return np.array(leakages), [f"{np.mean(decibels):.1f}", f"{min(shares):.2f}"]


def _apart(differences: Floats) -> str:
    """The mean of clients' differences, with its interval."""
    drawn = resampled(len(differences), DRAWS, seed=0) @ differences / len(differences)
    interval = percentiles(drawn)
    between = "" if interval is None else f" [{interval.low:+.3f}, {interval.high:+.3f}]"
    return f"{differences.mean():+.3f}{between}"


def _spread(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The places of images of random classes, each at another place within its class."""
    rng = np.random.default_rng(5)
    return np.array([np.flatnonzero(labels == rng.integers(10))[FIRST + place] for place in range(count)])


if __name__ == "__main__":
    main()
