"""Each preset beside a plain one-image loop written after its source, on the same clients, starts and noise.

    python -m benchmarks.presets [--write docs/attacks.md]

A quarter of an hour on two cores.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.attack_cases import processor_seconds
from benchmarks.harness.reports import options, publish
from benchmarks.presets.sides import ROUND, SOURCED, compare, one_client
from semsim.memory import keep_freed_memory
from semsim.pixel_metrics import mse, psnr
from semsim_training.attacks.presets import preset
from semsim_training.client_images.labelled import LabelledImages
from semsim_training.client_images.source import ImageSource
from semsim_training.machine import machine
from semsim_training.markdown import records_table
from semsim_training.observations.client_side import Protocol, observe
from semsim_training.observations.observation import Observation, Victim
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Architecture, Network

IMAGES = 8
RUNS = 9
ALLOWED = 0.2
"""The paired difference of mean PSNR, in dB, by which a preset may lie behind its loop."""
Initialisation = Literal["default", "uniform"]
_LENET = Network(architecture=Architecture.LENET, classes=10, size=32)
_NARROW, _RESNET = (Network(architecture=Architecture.RESNET20, width=width, classes=10, size=32) for width in (4, 16))
VICTIMS: tuple[tuple[str, Network, Initialisation, int], ...] = (
    ("LeNet", _LENET, "uniform", 200),
    ("ResNet20", _NARROW, "default", 60),
)
"""Each victim's name, description, initialisation, and the number of iterations that fit minutes."""
ALONE: tuple[tuple[str, Network, Initialisation], ...] = (
    ("LeNet", _LENET, "uniform"),
    ("ResNet20, width 16", _RESNET, "default"),
)


def main() -> None:
    """Compare, time one client alone, and print both tables; with ``--write`` keep them in a page."""
    arguments = options(__doc__, "presets", images=True).parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # for both sides
    source = ImageSource(folder=arguments.data / "cifar10" / "test", name="cifar10", size=32).load()
    images = source.take(np.random.default_rng(2).choice(len(source.labels), IMAGES, replace=False))
    clients = {victim: _clients(network, initialisation, images) for victim, network, initialisation, _ in VICTIMS}
    rows = [
        row
        for name in SOURCED
        for victim, _, _, iterations in VICTIMS
        if (row := _row(name, victim, clients[victim], images.images, iterations)) is not None
    ]
    behind = [f"{row['preset']}, {row['victim']}: {row['difference, dB']}" for row in rows if row.pop("behind")]
    alone = [
        _alone(name, victim, _clients(network, initialisation, images)[0])
        for victim, network, initialisation in ALONE
        for name in ("inversed", "modern")
    ]
    text = (
        f"{IMAGES} CIFAR-10 test images, untrained victims (LeNet `uniform`, ResNet20 of width 4 by default), few "
        "iterations, one start: PSNR of the preset, of the loop, and the paired difference (mean and standard error). "
        "`20 steps` is the largest difference of an unknown over the first 20 steps, in float32: L-BFGS and signs "
        "enlarge the last bit, in float64 all agree to 1e-6 (`tests/training/attacks/test_presets.py`).\n\n"
        f"{records_table(rows)}\n\n"
        f"One client alone, one thread: processor time of the search over that of the loop, {RUNS} runs in turn, "
        f"median and range. {machine()}, torch {torch.__version__}.\n\n{records_table(alone)}"
    )
    publish(text, "presets", arguments.write, behind)


def _clients(network: Network, initialisation: Initialisation, images: LabelledImages) -> list[Observation]:
    """The observations of clients of one victim that hold an image each."""
    victim = Victim(build_network(network, 0, initialisation), network.inputs, network.label)
    pairs = [(images.images[i : i + 1], images.labels[i : i + 1]) for i in range(IMAGES)]
    return [observe(victim, image, label, Protocol(), 0) for image, label in pairs]


def _row(
    name: str, victim: str, observations: Sequence[Observation], images: NDArray[np.uint8], iterations: int
) -> dict[str, object] | None:
    """A preset on a victim; nothing where the preset needs batch normalisation and the victim has none."""
    recipe = preset(name)
    if recipe.references and victim == "LeNet":
        return None
    iterations = iterations // ROUND * ROUND
    found = compare(name, observations, iterations, 1, torch.float32)
    ours = _decibels(images, [result.images for result in found.ours])
    theirs = _decibels(images, found.theirs)
    differences = ours - theirs
    error = differences.std(ddof=1) / len(differences) ** 0.5
    return {
        "preset": f"`{name}`",
        "victim": victim,
        "iterations": iterations,
        "20 steps": f"{found.apart:.0e}" if found.apart else "0",
        "preset, dB": f"{ours.mean():.2f}",
        "loop, dB": f"{theirs.mean():.2f}",
        "difference, dB": f"{differences.mean():+.2f} ± {error:.2f}",
        "behind": differences.mean() < -ALLOWED,
    }


def _decibels(images: NDArray[np.uint8], made: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    return np.minimum(psnr(mse(images, np.concatenate(made))), 60.0)


def _alone(name: str, victim: str, observation: Observation) -> dict[str, object]:
    recipe = replace(preset(name), iterations=20, retries=0)
    ours, theirs = one_client(recipe, observation, torch.float32)
    ratios, times = [], []
    for _ in range(RUNS):
        seconds = [processor_seconds(side) for side in (ours, theirs)]
        ratios.append(seconds[0] / seconds[1])
        times.append([1e3 * one / recipe.iterations for one in seconds])
    mine, others = (min(column) for column in zip(*times, strict=True))
    return {
        "victim": victim,
        "preset": f"`{name}`",
        "preset, ms an iteration": f"{mine:.2f}",
        "loop, ms": f"{others:.2f}",
        "ratio": f"**{median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})",
    }


if __name__ == "__main__":
    main()
