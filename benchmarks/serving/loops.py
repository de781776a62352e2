"""The loops without a server, in a process of their own.

    python -m benchmarks.serving.loops FOLDER

answers ``{"loop", "side", "seconds"}`` with a run's figures; FOLDER holds the pairs.
"""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]

from benchmarks.serving.cells import Loop
from benchmarks.serving.figures import Run
from benchmarks.serving.pairs import Pairs, file_of
from benchmarks.serving.processes import answer_jobs
from benchmarks.serving.threads import ONE_THREAD
from semsim import Scorer
from semsim.artifact import Artifact
from semsim.images import resize_batch
from semsim.memory import keep_freed_memory
from semsim.providers import INPUT_NAME, OUTPUT_NAME, open_session

BATCH_IMAGES = 16
_BATCH_PAIRS = BATCH_IMAGES // 2


class Loops:
    """The three loops over the pairs of a folder; each step scores the next few pairs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._scorer = Scorer(providers=ONE_THREAD)
        artifact = Artifact.load()
        self._input = artifact.manifest.input
        self._session, _ = open_session(artifact.graph, self._input, ONE_THREAD, BATCH_IMAGES)
        self._step = cache(self._make_step)

    def measure(self, loop: str, side: int, seconds: float) -> dict[str, Any]:
        """Run one loop for so long."""
        step = self._step(Loop(loop), side)
        step(0)
        begin, cpu, count = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - begin < seconds:
            step(count)
            count += 1
        pairs = count * _BATCH_PAIRS
        cpu = (time.process_time() - cpu) / pairs
        speed = pairs / (time.perf_counter() - begin)
        return asdict(Run(speed, math.nan, math.nan, cpu, psutil.Process().memory_info().rss, 0.0))

    def _make_step(self, loop: Loop, side: int) -> Callable[[int], object]:
        pairs = Pairs.load(file_of(self._folder, side))
        steps = len(pairs.originals) // _BATCH_PAIRS
        match loop:
            case Loop.NETWORK:
                images = np.concatenate([pairs.originals, pairs.reconstructions])
                ready = resize_batch(list(images), self._input.height, self._input.width, self._input.filter)
                batches = ready[: steps * BATCH_IMAGES].reshape(steps, BATCH_IMAGES, *ready.shape[1:])
                return lambda i: self._session.run([OUTPUT_NAME], {INPUT_NAME: batches[i % steps]})
            case Loop.LIBRARY:
                originals, reconstructions = list(pairs.originals), list(pairs.reconstructions)
                return lambda i: self._scorer.score_images(originals[part := _part(i, steps)], reconstructions[part])
            case Loop.DECODING:
                encoded = pairs.encoded()
                return lambda i: self._scorer.score_pairs(encoded[_part(i, steps)])


def _part(i: int, steps: int) -> slice:
    start = i % steps * _BATCH_PAIRS
    return slice(start, start + _BATCH_PAIRS)


if __name__ == "__main__":
    keep_freed_memory()
    answer_jobs(Loops(Path(sys.argv[1])).measure)
