"""Scoring throughput and memory of ``semsim.Scorer`` against the same network in a plain torch loop.

    python -m benchmarks.scoring [--write FILE]

The loop is how the paper's code scores: one pair at a time, in the same run, the two in turn. Absolute times
belong to the machine; the ratios, pair by pair, are what can be compared.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image
from scipy.stats import spearmanr

from benchmarks.workers import ARTIFACT, Measurement
from semsim.artifact import Artifact
from semsim.bulk.matching import find_images
from semsim.images import decode, resize_batch
from semsim_export.parity_pairs import degraded_pairs
from semsim_training.machine import machine
from semsim_training.markdown import write_between

ORIGINALS = 48
MOST_RECONSTRUCTIONS = 8
SIDES = (32, 64)
RUNS = 3


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison: images of one size, reconstructions an original, threads for both."""

    side: int
    reconstructions: int
    threads: int


CASES = (Case(32, 1, 1), Case(32, 8, 1), Case(32, 8, 2), Case(64, 8, 1))


def write_images(source: Path, folder: Path, side: int) -> None:
    """Real images as PNG files of ``side``, and degraded copies of them for reconstructions."""
    paths = find_images(source)
    chosen = np.random.default_rng(0).permutation(len(paths))[:ORIGINALS]
    images = resize_batch([decode(source / paths[i]) for i in chosen], side, side)
    for name in ("originals", "reconstructions"):
        (folder / name).mkdir(parents=True)
    for index, image in enumerate(images):
        Image.fromarray(image).save(folder / "originals" / f"{index:03}.png")
    for i in range(MOST_RECONSTRUCTIONS):
        for index, image in enumerate(degraded_pairs(images, seed=i)[1]):
            Image.fromarray(image).save(folder / "reconstructions" / f"{index:03}-{i}.png")


def measure(kind: str, folder: Path, case: Case, weights: Path) -> Measurement:
    """Run one worker process."""
    arguments = [kind, str(folder), str(case.reconstructions), str(case.threads), str(weights)]
    environment = os.environ | {"OMP_NUM_THREADS": str(case.threads)}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.workers", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    return Measurement(**json.loads(done.stdout))


def compare(case: Case, folder: Path, weights: Path) -> str:
    """One row of the table: both sides in turn, ``RUNS`` times."""
    ratios, ours, theirs = [], [], []
    for run in range(RUNS):
        sys.stderr.write(f"{case}: run {run + 1} of {RUNS}\n")
        ours.append(measure("scorer", folder, case, weights))
        theirs.append(measure("torch-loop", folder, case, weights))
        ratios.append(theirs[-1].seconds / ours[-1].seconds)
    pairs = len(ours[0].distances)
    agreement = spearmanr(ours[0].distances, theirs[0].distances).statistic
    spent = {stage: median(one.stages[stage] for one in ours) for stage in ours[0].stages}
    shares = [f"{seconds / sum(spent.values()):.0%}" for seconds in spent.values()]
    speeds = [f"{pairs / median(one.seconds for one in side):.0f}" for side in (ours, theirs)]
    memory = [f"{median(one.peak_bytes for one in side) / 2**20:.0f}" for side in (ours, theirs)]
    cells = [
        f"{case.side} px, {ORIGINALS} x {case.reconstructions}",
        str(case.threads),
        *speeds,
        f"**{median(ratios):.1f}** ({min(ratios):.1f} to {max(ratios):.1f})",
        *memory,
        *shares,
        f"{agreement:.5f}",
    ]
    return "| " + " | ".join(cells) + " |"


def report(data: Path) -> str:
    """The table, as Markdown, with what it was measured on."""
    weights = data.parent / "weights" / "tf_efficientnet_lite0.safetensors"
    manifest = Artifact.load(ARTIFACT).manifest
    lines = [
        f"Model {manifest.name} {manifest.version} ({manifest.graph.precision}, "
        f"{manifest.input.width}x{manifest.input.height} input), CPU execution provider; peer: the same network and "
        "weights in torch (fp32), one pair at a time, with scikit-image's MSE, PSNR and SSIM. Both read the same PNG "
        f"files. Pairs are originals x reconstructions; {RUNS} runs in turn, medians; the ratio run by run "
        "(lowest to highest). Peak memory is the whole process's.",
        "",
        f"Machine: {machine()}.",
        "",
        "| pairs | threads | Scorer pairs/s | torch loop pairs/s | ratio | Scorer MiB | torch loop MiB "
        "| decode | resize | network | metrics | rank agreement |",
        "|" + "---|" * 12,
    ]
    with tempfile.TemporaryDirectory() as scratch:
        for side in SIDES:
            write_images(
                data / "cifar10" / "test" if side == SIDES[0] else data / "caltech101", Path(scratch) / str(side), side
            )
        lines += [compare(case, Path(scratch) / str(case.side), weights) for case in CASES]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table; with ``--write`` also keep it in a page between its markers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("SEMSIM_DATA"), help="real images (SEMSIM_DATA)")
    parser.add_argument("--write", type=Path, help="a Markdown page with <!-- scoring --> markers")
    arguments = parser.parse_args()
    if arguments.data is None or not Path(arguments.data).is_dir():
        parser.error("needs real images and the ImageNet weights: set SEMSIM_DATA")
    table = report(Path(arguments.data))
    sys.stdout.write(table)
    if arguments.write is not None:
        write_between(arguments.write, "scoring", table)


if __name__ == "__main__":
    main()
