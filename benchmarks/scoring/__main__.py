"""Scoring throughput and memory of ``semsim.Scorer`` against the same network in a plain torch loop.

    python -m benchmarks.scoring [--write FILE]

The loop is how the paper's code scores: one pair at a time, in the same run, the two in turn. Absolute times
belong to the machine; the ratios, pair by pair, are what can be compared.
"""

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from PIL import Image
from scipy.stats import spearmanr

from benchmarks.harness.processes import process
from benchmarks.harness.reports import options, publish
from benchmarks.scoring.sides import ARTIFACT, Measurement, pair_paths, scorer, torch_loop
from benchmarks.serving.pairs import real_images
from semsim.artifact import Artifact
from semsim_export.parity_pairs import degraded_pairs
from semsim_training.machine import machine
from semsim_training.markdown import records_table

ORIGINALS = 48
MOST_RECONSTRUCTIONS = 8
RUNS = 3


@dataclass(frozen=True, slots=True)
class ScoringCase:
    """One comparison: images of one size, reconstructions an original, threads for both."""

    side: int
    reconstructions: int
    threads: int


CASES = (ScoringCase(32, 1, 1), ScoringCase(32, 8, 1), ScoringCase(32, 8, 2), ScoringCase(64, 8, 1))


def write_images(data: Path, folder: Path, side: int) -> None:
    """Real images as PNG files of ``side``, and degraded copies of them for reconstructions."""
    images = real_images(data, side, ORIGINALS)
    for name in ("originals", "reconstructions"):
        (folder / name).mkdir(parents=True)
    for index, image in enumerate(images):
        Image.fromarray(image).save(folder / "originals" / f"{index:03}.png")
    for i in range(MOST_RECONSTRUCTIONS):
        for index, image in enumerate(degraded_pairs(images, seed=i)[1]):
            Image.fromarray(image).save(folder / "reconstructions" / f"{index:03}-{i}.png")


def compare(case: ScoringCase, folder: Path, weights: Path) -> dict[str, object]:
    """One row of the table: both sides in turn, ``RUNS`` times."""
    os.environ["OMP_NUM_THREADS"] = str(case.threads)  # of the processes that are started now
    paths = pair_paths(folder, case.reconstructions)
    ours: list[Measurement] = []
    theirs: list[Measurement] = []
    for run in range(RUNS):
        sys.stderr.write(f"{case}: run {run + 1} of {RUNS}\n")
        for side, measurements in ((scorer, ours), (torch_loop, theirs)):
            with process() as elsewhere:
                measurements.append(elsewhere(side, paths, case.threads, weights))
    ratios = [their.seconds / our.seconds for our, their in zip(ours, theirs, strict=True)]
    pairs = len(ours[0].distances)
    spent = {stage: median(one.stages[stage] for one in ours) for stage in ours[0].stages}
    speeds = [f"{pairs / median(one.seconds for one in side):.0f}" for side in (ours, theirs)]
    memory = [f"{median(one.peak_bytes for one in side) / 2**20:.0f}" for side in (ours, theirs)]
    return {
        "pairs": f"{case.side} px, {ORIGINALS} x {case.reconstructions}",
        "threads": case.threads,
        "Scorer pairs/s": speeds[0],
        "torch loop pairs/s": speeds[1],
        "ratio": f"**{median(ratios):.1f}** ({min(ratios):.1f} to {max(ratios):.1f})",
        "Scorer MiB": memory[0],
        "torch loop MiB": memory[1],
        **{stage: f"{seconds / sum(spent.values()):.0%}" for stage, seconds in spent.items()},
        "rank agreement": f"{spearmanr(ours[0].distances, theirs[0].distances).statistic:.5f}",
    }


def report(data: Path) -> str:
    """The table, as Markdown, with what it was measured on."""
    weights = data.parent / "weights" / "tf_efficientnet_lite0.safetensors"
    manifest = Artifact.load(ARTIFACT).manifest
    with tempfile.TemporaryDirectory() as scratch:
        for side in (32, 64):
            write_images(data, Path(scratch) / str(side), side)
        rows = [compare(case, Path(scratch) / str(case.side), weights) for case in CASES]
    return (
        f"Model {manifest.name} {manifest.version} ({manifest.graph.precision}, "
        f"{manifest.input.width}x{manifest.input.height} input), CPU execution provider; peer: the same network and "
        "weights in torch (fp32), one pair at a time, with scikit-image's MSE, PSNR and SSIM. Both read the same PNG "
        f"files. Pairs are originals x reconstructions; {RUNS} runs in turn, medians; the ratio run by run "
        "(lowest to highest). Peak memory is the whole process's.\n\n"
        f"Machine: {machine()}.\n\n{records_table(rows)}"
    )


def main() -> None:
    """Measure, and print the table; with ``--write`` keep it in a page."""
    arguments = options(__doc__, "scoring", images=True).parse_args()
    publish(report(arguments.data), "scoring", arguments.write)


main()
