"""The loops without a server, measured in a process of their own."""

import math
import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.harness.processes import memory_bytes, tree
from benchmarks.serving.cells import ONE_THREAD, Loop, Run, model_of_run
from benchmarks.serving.pairs import Pairs
from semsim import Scorer
from semsim.images import resize_batch
from semsim.providers import INPUT_NAME, OUTPUT_NAME, open_session

BATCH_PAIRS = 8


def measure_loop(folder: Path, loop: Loop, side: int, seconds: float, batch: int = BATCH_PAIRS) -> Run:
    """Run one loop over the pairs of a folder for ``seconds``, ``batch`` pairs at a time."""
    step = _step(folder, loop, side, batch)
    step(0)
    begin, cpu, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begin < seconds:
        step(count)
        count += 1
    pairs, cpu, took = count * batch, time.process_time() - cpu, time.perf_counter() - begin
    return Run(pairs / took, math.nan, math.nan, cpu / pairs, memory_bytes(tree(os.getpid())), 0.0)


@cache
def _step(folder: Path, loop: Loop, side: int, batch: int) -> Callable[[int], object]:
    """A function that scores the next few pairs each time."""
    pairs = Pairs.load(folder, side)
    steps = len(pairs.originals) // batch

    def part(i: int) -> slice:
        start = i % steps * batch
        return slice(start, start + batch)

    match loop:
        case Loop.NETWORK:
            artifact = model_of_run()
            size = artifact.manifest.input
            session, _ = open_session(artifact.graph, size, ONE_THREAD, 2 * batch)
            images = list(np.concatenate([pairs.originals, pairs.reconstructions]))
            ready = resize_batch(images, size.height, size.width, size.filter)
            batches = ready[: steps * 2 * batch].reshape(steps, 2 * batch, *ready.shape[1:])
            return lambda i: session.run([OUTPUT_NAME], {INPUT_NAME: batches[i % steps]})
        case Loop.LIBRARY:
            originals, reconstructions = list(pairs.originals), list(pairs.reconstructions)
            return lambda i: _scorer().score_images(originals[part(i)], reconstructions[part(i)])
        case Loop.DECODING:
            encoded = pairs.encoded()
            return lambda i: _scorer().score_pairs(encoded[part(i)])


@cache
def _scorer() -> Scorer:
    return Scorer(model_of_run(), providers=ONE_THREAD)
