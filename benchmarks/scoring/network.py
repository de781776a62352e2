"""The time of the network alone: the bundled model against the whole EfficientNet-Lite0 at 64 pixels.

    python -m benchmarks.scoring.network [--write FILE]

``imagenet-baseline`` is that network, and so was semsim-default 0.1. Both run in turn in one process, on one thread of
a CPU; a pair is two images. Process time is compared: other work on the machine changes it less than the clock's.
"""

import time
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.harness.reports import options, publish, records_table
from semsim.providers import CPUOptions, Provider, ProviderSettings
from semsim.scorer import Scorer
from semsim_training.machine import machine

PAIRS, RUNS = 8, 31
PEER = Path("models") / "imagenet-baseline"


def main() -> None:
    """Print the table; with ``--write`` keep it in a page."""
    arguments = options(__doc__, "network").parse_args()
    settings = ProviderSettings(order=(Provider.CPU,), cpu=CPUOptions(threads=1))
    scorers = [Scorer(providers=settings, batch_size=2 * PAIRS), Scorer(PEER, providers=settings, batch_size=2 * PAIRS)]
    times = [[_seconds(scorer) for scorer in scorers] for _ in range(RUNS + 1)][1:]
    ratios = sorted(own / peer for own, peer in times)
    rows = [
        {
            "model": f"{scorer.manifest.name} {scorer.manifest.version}",
            "input": f"{scorer.manifest.input.height}x{scorer.manifest.input.width}",
            "ms a pair": f"{1000 * median(run[side] for run in times) / PAIRS:.2f}",
            "ratio": f"**{median(ratios):.2f}** ({ratios[1]:.2f} to {ratios[-2]:.2f})" if side == 0 else "1",
        }
        for side, scorer in enumerate(scorers)
    ]
    text = f"Machine: {machine()}.\n\n{records_table(rows)}"
    publish(text, "network", arguments.write)


def _seconds(scorer: Scorer) -> float:
    size = scorer.manifest.input
    images = np.random.default_rng(0).integers(0, 256, (2 * PAIRS, size.height, size.width, 3), dtype=np.uint8)
    began = time.process_time()
    scorer.embed_prepared(images)
    return time.process_time() - began


if __name__ == "__main__":
    main()
