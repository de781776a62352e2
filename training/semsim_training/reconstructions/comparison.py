"""Attacks of a set against each other, on the same clients: paired differences and their intervals."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidDataset
from semsim.pixel_metrics import mse, psnr, ssim
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.reconstructions.schema import ReconstructionRow
from semsim_training.reference_metrics.lpips import Lpips
from semsim_training.statistics.bootstrap import resampled
from semsim_training.statistics.intervals import Interval, percentiles

DRAWS = 5000
_CAP_DB = 60.0
_METRICS = {"PSNR": 1, "SSIM": 3, "LPIPS": 3}
"""The digits of each metric in tables."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One attack on a group of settings that differ in nothing else, and its differences from the group's first."""

    group: str
    attack: str
    images: int
    clients: int
    means: dict[str, float]
    """The mean of each metric: PSNR in dB, SSIM, and LPIPS where its weights are there."""
    differences: dict[str, tuple[float, Interval]]
    """The mean difference of each metric, with a 95% interval of a bootstrap over clients. The first has none."""


def compare_attacks(directory: Path, lpips: Lpips | None = None) -> list[Measured]:
    """Every attack of a set, by groups of settings that differ in the attack alone, in the set's order.

    A client's images come and go together in the bootstrap: they were made in one search.

    Raises:
        InvalidDataset: no finished set there, attacks of one group that do not have the same images, or no originals.
        HashMismatch: other originals are there.
    """
    compared = ReconstructionSet.read(directory)
    groups: dict[tuple[object, ...], dict[str, list[ReconstructionRow]]] = defaultdict(lambda: defaultdict(list))
    for row in compared.rows:
        alike = (row.dataset, row.victim, row.mode, row.defense, row.batch, row.batchnorm, row.local_steps)
        groups[alike][row.attack].append(row)
    measured = []
    for attacks in groups.values():
        first = next(iter(attacks.values()))
        clients = _clients(first)
        baseline = _values(compared, first, lpips)
        for attack, rows in attacks.items():
            if [row.image for row in rows] != [row.image for row in first]:
                raise InvalidDataset(f"expected the same images for {rows[0].setting} as for {first[0].setting}")
            values = _values(compared, rows, lpips)
            differences = {name: _difference(values[name] - baseline[name], clients) for name in values}
            measured.append(
                Measured(
                    group=_group(rows[0]),
                    attack=attack,
                    images=len(rows),
                    clients=int(clients.max()) + 1,
                    means={name: float(of_metric.mean()) for name, of_metric in values.items()},
                    differences={} if rows is first else differences,
                )
            )
    return measured


def comparison_table(directory: Path, lpips: Lpips | None = None) -> str:
    """The comparison as Markdown."""
    measured = compare_attacks(directory, lpips)
    names = list(measured[0].means)
    lines = [
        "Differences from the first attack of a group, on the same clients, with 95% intervals of "
        f"{DRAWS} bootstrap draws of clients. Higher PSNR (dB) and SSIM, lower LPIPS: closer to the original.",
        "",
        f"| clients | attack | {' | '.join(names)} |",
        "|---" * (2 + len(names)) + "|",
    ]
    for one in measured:
        cells = [_cell(one, name) for name in names]
        lines.append(f"| {one.group}, {one.images} images of {one.clients} | {one.attack} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _values(
    compared: ReconstructionSet, rows: list[ReconstructionRow], lpips: Lpips | None
) -> dict[str, NDArray[np.float64]]:
    originals = np.stack([compared.original(row) for row in rows])
    reconstructions = np.stack([compared.reconstruction(row) for row in rows])
    values = {
        "PSNR": np.minimum(psnr(mse(originals, reconstructions)), _CAP_DB),
        "SSIM": ssim(originals, reconstructions),
    }
    return values if lpips is None else values | {"LPIPS": lpips.distances(originals, reconstructions)}


def _clients(rows: list[ReconstructionRow]) -> NDArray[np.intp]:
    """The number of each row's client, counted from 0."""
    return np.unique([row.client_seed for row in rows], return_inverse=True)[1]


def _difference(values: NDArray[np.float64], clients: NDArray[np.intp]) -> tuple[float, Interval]:
    # Clients hold equally many images: the mean over clients is the mean over images.
    means = np.bincount(clients, values) / np.bincount(clients)
    drawn = resampled(len(means), DRAWS, seed=0) @ means / len(means)
    interval = percentiles(drawn)
    if interval is None:
        raise InvalidDataset("expected numbers to compare, got none")
    return float(values.mean()), interval


def _group(row: ReconstructionRow) -> str:
    parts = [row.dataset, row.victim, f"batch {row.batch}", f"batch normalisation {row.batchnorm}"]
    parts += [row.defense] * (row.defense != "none") + [f"mode {row.mode}"] * (row.mode != "none")
    parts += [f"{row.local_steps} local steps"] * (row.local_steps > 0)
    return ", ".join(parts)


def _cell(one: Measured, name: str) -> str:
    digits = _METRICS[name]
    text = f"{one.means[name]:.{digits}f}"
    if name not in one.differences:
        return text
    value, interval = one.differences[name]
    sure = interval.low > 0 or interval.high < 0
    difference = f"{value:+.{digits}f} ({interval.low:+.{digits}f}..{interval.high:+.{digits}f})"
    return f"{text}, **{difference}**" if sure else f"{text}, {difference}"
