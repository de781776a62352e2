"""Lower precisions of the bundled model on a CPU: their time, and their agreement on real reconstructions.

    python -m semsim_export.precision_report datasets/cifar10 datasets/caltech101 [--write docs/performance.md]

Each graph is timed in turn with the bundled one, on one thread of one process, in processor time. The pairs are test
originals with their reconstructions; int8 takes the ranges of its values from pairs of the split ``train``.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from semsim.artifact import Artifact
from semsim.embedder import Embedder
from semsim.exceptions import InvalidDataset, InvalidGraph
from semsim.images import resize_batch
from semsim.manifest import InputSpec
from semsim.providers import CPUOptions, Provider, ProviderSettings
from semsim_export.lowered_graph import LowerPrecision, lowered
from semsim_training.machine import machine
from semsim_training.markdown import around_marks, write_between
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.statistics.intervals import Floats

MARK = "precisions"
LEAST_SPEARMAN = 0.99
LEAST_GAIN = 1.1
"""The times that a precision must be as fast as the bundled graph to be worth a choice."""
PAIR, BATCH = 2, 16
_CALIBRATING = 64
_ONE_THREAD = ProviderSettings(order=(Provider.CPU,), cpu=CPUOptions(threads=1))

Pairs = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Originals and their reconstructions, each ``(N, H, W, 3)`` of the input size."""


@dataclass(frozen=True, slots=True)
class LoweredFigures:
    """A lower precision beside the bundled graph."""

    precision: LowerPrecision
    size_bytes: int
    pair_ratios: Floats
    """The time of one pair over the bundled graph's, in each run."""
    batch_ratios: Floats
    """The same of 16 images."""
    spearman: float
    """The rank agreement of distances."""
    changed: float
    """The share of pairs whose verdict, recognizable or not, is another."""
    largest: float
    """The largest change of a leakage."""

    @property
    def worth_a_choice(self) -> bool:
        """True where it is faster for one pair and for 16 images, and ranks as the bundled graph does."""
        slowest = max(float(np.median(ratios)) for ratios in (self.pair_ratios, self.batch_ratios))
        return slowest <= 1 / LEAST_GAIN and self.spearman >= LEAST_SPEARMAN


def pairs_of(sets: Sequence[ReconstructionSet], split: str, count: int, size: InputSpec) -> Pairs:
    """At most ``count`` pairs of a split, as many of each set.

    Raises:
        InvalidDataset: the sets have none, or the originals are not there.
    """
    originals, reconstructions = [], []
    for one in sets:
        rows = [row for row in one.rows if row.split == split and row.done]
        chosen = np.random.default_rng(0).permutation(len(rows))[: -(-count // len(sets))]
        originals += [one.original(rows[place]) for place in chosen]
        reconstructions += [one.reconstruction(rows[place]) for place in chosen]
    if not originals:
        raise InvalidDataset(f"expected reconstructions of the split {split}, got none")
    small = (resize_batch(images, size.height, size.width, size.filter) for images in (originals, reconstructions))
    first, second = small
    return first[:count], second[:count]


def compare_precisions(
    artifact: Artifact, pairs: Pairs, calibrating: Pairs, runs: int
) -> tuple[list[LoweredFigures], dict[LowerPrecision, str]]:
    """The figures of each precision that runs here, and the reasons why others do not.

    Raises:
        InvalidGraph: the artifact has no calibration, so that there are no verdicts to compare.
    """
    manifest = artifact.manifest
    calibration, threshold = manifest.calibration, manifest.threshold
    if calibration is None or threshold is None:
        raise InvalidGraph(f"expected an artifact with a calibration, got {manifest.name} {manifest.version}")
    graphs, refused = {}, {}
    runners = {"bundled": _runner(artifact, artifact.graph)}
    for precision in LowerPrecision:
        try:
            graphs[precision] = lowered(artifact.graph, precision, np.concatenate(calibrating))
            runners[precision] = _runner(artifact, graphs[precision])
        except InvalidGraph as error:
            refused[precision] = str(error)
    distances = {name: _distances(runner, pairs) for name, runner in runners.items()}
    leakages = {name: calibration.leakage(values) for name, values in distances.items()}
    ratios = [_ratios(runners, pairs[0][:count], runs) for count in (PAIR, BATCH)]
    figures = [
        LoweredFigures(
            precision=name,
            size_bytes=len(graphs[name]),
            pair_ratios=ratios[0][name],
            batch_ratios=ratios[1][name],
            spearman=float(spearmanr(distances["bundled"], distances[name]).statistic),
            changed=float(((leakages[name] >= threshold) != (leakages["bundled"] >= threshold)).mean()),
            largest=float(np.abs(leakages[name] - leakages["bundled"]).max()),
        )
        for name in graphs
        if name not in refused
    ]
    return figures, refused


def _runner(artifact: Artifact, graph: bytes) -> Embedder:
    manifest = artifact.manifest
    return Embedder(graph, manifest.input, manifest.embedding.dimension, _ONE_THREAD, BATCH)


def _distances(runner: Embedder, pairs: Pairs) -> NDArray[np.float64]:
    originals, reconstructions = (runner.embed(images).astype(np.float64) for images in pairs)
    distances: NDArray[np.float64] = np.linalg.norm(originals - reconstructions, axis=1)
    return distances


def _ratios(runners: dict[str, Embedder], images: NDArray[np.uint8], runs: int) -> dict[str, Floats]:
    """The time of each over that of the bundled graph in the same run."""

    def seconds(runner: Embedder) -> float:
        start = process_time()
        for _ in range(BATCH // PAIR):
            runner.embed(images)
        return process_time() - start

    measured = [{name: seconds(runner) for name, runner in runners.items()} for _ in range(runs + 1)][1:]
    return {name: np.array([run[name] / run["bundled"] for run in measured]) for name in runners}


def precision_text(
    figures: Sequence[LoweredFigures], refused: dict[LowerPrecision, str], artifact: Artifact, measured: str
) -> str:
    """The figures as Markdown, and what follows from them."""
    manifest = artifact.manifest
    lines = [
        "| precision | size | time of one pair | of 16 images | Spearman of distances | verdicts that change "
        "| largest change of a leakage |",
        "|---" * 7 + "|",
    ]
    for one in figures:
        times = (np.quantile(ratios, (0.05, 0.5, 0.95)) for ratios in (one.pair_ratios, one.batch_ratios))
        shown = (f"**{middle:.2f}** ({low:.2f} to {high:.2f})" for low, middle, high in times)
        agreement = f"{one.spearman:.4f} | {one.changed:.1%} | {one.largest:.2f}"
        size = f"{one.size_bytes / artifact.manifest.graph.size_bytes:.2f}"
        lines.append(f"| {one.precision} | {size} | {' | '.join(shown)} | {agreement} |")
    lines += ["", *(f"{name} does not run: {reason}." for name, reason in refused.items())]
    worth = [one.precision.value for one in figures if one.worth_a_choice]
    lines.append(
        f"A choice would be worth it at {LEAST_GAIN} times the speed for one pair and for 16 images, with a Spearman "
        f"of at least {LEAST_SPEARMAN}: {', '.join(worth) if worth else 'none is'}."
    )
    heading = f"{manifest.name} {manifest.version} ({manifest.graph.precision}, computed in single precision) is 1."
    return "\n".join([f"{heading} {measured} {machine()}.", "", *lines])


def main() -> None:
    """Print the table, or write it into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+", help="Finished reconstruction sets whose originals are there.")
    parser.add_argument("--pairs", type=int, default=500, help="Pairs to compare.")
    parser.add_argument("--runs", type=int, default=31, help="Runs to time.")
    parser.add_argument("--write", type=Path, help=f"Markdown file, to write the table between its {MARK} marks.")
    arguments = parser.parse_args()
    if arguments.write is not None:
        around_marks(arguments.write, MARK)
    artifact, sets = Artifact.load(), [ReconstructionSet.read(folder) for folder in arguments.sets]
    size = artifact.manifest.input
    pairs = pairs_of(sets, "test", arguments.pairs, size)
    figures, refused = compare_precisions(artifact, pairs, pairs_of(sets, "train", _CALIBRATING, size), arguments.runs)
    measured = (
        f"{len(pairs[0])} test reconstructions of {', '.join(one.name for one in sets)}; {arguments.runs} runs in turn "
        "on one thread, processor time, medians with the 5th and 95th percentile."
    )
    text = precision_text(figures, refused, artifact, measured)
    print(text)
    if arguments.write is not None:
        write_between(arguments.write, MARK, text)


if __name__ == "__main__":
    main()
