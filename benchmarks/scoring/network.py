"""The process time of the bundled model's network: python -m benchmarks.scoring.network [--write FILE]."""

from pathlib import Path
from time import process_time
from timeit import timeit

import numpy as np

from benchmarks.harness.reports import options, publish
from semsim.providers import CPUOptions, Provider, ProviderSettings
from semsim.scorer import Scorer
from semsim_training.machine import machine

RUNS, IMAGES = 31, 16


def main() -> None:
    """Compare it with the whole EfficientNet-Lite0 at 64 pixels, which 0.1 was, in turn on one thread of a CPU."""
    arguments = options(__doc__, "network").parse_args()
    settings = ProviderSettings(order=(Provider.CPU,), cpu=CPUOptions(threads=1))
    scorers = [Scorer(path, providers=settings) for path in (None, Path("models/imagenet-baseline"))]
    times = np.array([[_seconds(scorer) for scorer in scorers] for _ in range(RUNS + 1)][1:])
    low, middle, high = np.quantile(times[:, 0] / times[:, 1], (0.05, 0.5, 0.95))
    ours, peer = (f"{one.name} {one.version} at {one.input.height} pixels" for one in (s.manifest for s in scorers))
    text = f"{ours} takes **{middle:.2f}** ({low:.2f} to {high:.2f}) of the time of {peer}. {machine()}."
    publish(text, "network", arguments.write)


def _seconds(scorer: Scorer) -> float:
    images = np.zeros((IMAGES, scorer.manifest.input.height, scorer.manifest.input.width, 3), dtype=np.uint8)
    return timeit(lambda: scorer.embed_prepared(images), timer=process_time, number=1)


if __name__ == "__main__":
    main()
