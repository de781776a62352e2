"""The process time of the network alone: the bundled model against the whole EfficientNet-Lite0 at 64 pixels.

python -m benchmarks.scoring.network [--write FILE]
"""

import time
from pathlib import Path

import numpy as np

from benchmarks.harness.reports import options, publish
from semsim.providers import CPUOptions, Provider, ProviderSettings
from semsim.scorer import Scorer
from semsim_training.machine import machine

PAIRS, RUNS = 8, 31
CPU = ProviderSettings(order=(Provider.CPU,), cpu=CPUOptions(threads=1))


def main() -> None:
    """Print the table; with ``--write`` keep it in a page. 0.1 of the bundled model was its peer's network."""
    arguments = options(__doc__, "network").parse_args()
    scorers = [Scorer(path, providers=CPU, batch_size=2 * PAIRS) for path in (None, Path("models/imagenet-baseline"))]
    times = np.array([[_seconds(scorer) for scorer in scorers] for _ in range(RUNS + 1)][1:])
    low, middle, high = np.quantile(times[:, 0] / times[:, 1], (0.05, 0.5, 0.95))
    names = [f"{one.manifest.name} {one.manifest.version} at {one.manifest.input.height} pixels" for one in scorers]
    text = f"{names[0]} takes **{middle:.2f}** ({low:.2f} to {high:.2f}) of the time of {names[1]}. {machine()}."
    publish(text, "network", arguments.write)


def _seconds(scorer: Scorer) -> float:
    images = np.zeros((2 * PAIRS, scorer.manifest.input.height, scorer.manifest.input.width, 3), dtype=np.uint8)
    began = time.process_time()
    scorer.embed_prepared(images)
    return time.process_time() - began


if __name__ == "__main__":
    main()
