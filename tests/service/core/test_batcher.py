"""Batches across callers are full, never wait, hold each distinct image once, and fail only the caller at fault."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from semsim_service.core import batcher as batcher_module
from semsim_service.core.batcher import Batcher
from semsim_service.core.image_batch import Embeddings, Images, Job
from semsim_service.core.metrics import ServiceMetrics

BATCH = 4
PATIENCE = 30


class Network:
    """Embeds an image of one value v as (v, v^2). Keeps the values of its runs, and waits where it is told to."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.go = threading.Event()
        self.go.set()
        self.begun = threading.Event()

    def __call__(self, images: Images) -> Embeddings:
        """Run the network."""
        values = images[:, 0, 0, 0].astype(np.float32)
        self.runs.append([int(value) for value in values])
        self.begun.set()
        assert self.go.wait(PATIENCE)
        if 13 in values:
            raise RuntimeError("an unlucky image")
        return np.stack([values, values**2], axis=1)


@contextmanager
def batching(metrics: ServiceMetrics, cache_bytes: int = 0) -> Iterator[tuple[Batcher, Network]]:
    """A batcher over such a network."""
    network = Network()
    batcher = Batcher(network, 2, BATCH, metrics, cache_bytes)
    try:
        yield batcher, network
    finally:
        network.go.set()
        batcher.close()


def request_of(values: list[int]) -> tuple[Images, list[bytes], np.ndarray]:
    """The images of these values, two a pair, as the batcher takes them."""
    images = np.array(values, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 3), dtype=np.uint8)
    return images, [bytes([value]) for value in values], np.arange(1, len(values), 2)


async def embed(batcher: Batcher, values: list[int]) -> Job:
    """Embed images of these values, two a pair."""
    return await batcher.embed(*request_of(values))


def assert_own(job: Job, values: list[int]) -> None:
    """The job got the embeddings of its own images, in order."""
    assert job.embeddings.tolist() == [[value, value**2] for value in values]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


def behind(batcher: Batcher, network: Network, *others: list[int]) -> list[Job]:
    """Embed image 1, and ask for the others while the network is busy with it."""

    async def run() -> list[Job]:
        network.go.clear()
        first = asyncio.create_task(embed(batcher, [1]))
        await until(network.begun.is_set)
        rest = [asyncio.create_task(embed(batcher, values)) for values in others]
        await asyncio.sleep(0)
        network.go.set()
        return [await task for task in (first, *rest)]

    return asyncio.run(run())


def test_the_first_starts_alone_and_what_came_meanwhile_shares_a_run(metrics: ServiceMetrics) -> None:
    """An idle network starts at once. The next run takes all images that wait, in the order in which they came."""
    with batching(metrics) as (batcher, network):
        jobs = behind(batcher, network, [2, 3], [4, 5])
        assert network.runs == [[1], [2, 3, 4, 5]]
        for job, values in zip(jobs, ([1], [2, 3], [4, 5]), strict=True):
            assert_own(job, values)


def test_a_request_over_the_best_batch_is_split(metrics: ServiceMetrics) -> None:
    """Ten images go in runs of four, and the rest of the last run goes to the next caller."""
    with batching(metrics) as (batcher, network):
        jobs = behind(batcher, network, list(range(20, 30)), [30, 31])
        assert [len(run) for run in network.runs] == [1, 4, 4, 4]
        assert_own(jobs[1], list(range(20, 30)))
        assert_own(jobs[2], [30, 31])


def test_a_huge_request_takes_turns_with_others(metrics: ServiceMetrics) -> None:
    """After each run a request that has more images goes behind the others that wait."""
    with batching(metrics) as (batcher, network):
        jobs = behind(batcher, network, list(range(20, 30)), [40, 41, 42], [50, 51])
        assert network.runs == [[1], [20, 21, 22, 23], [40, 41, 42, 50], [24, 25, 26, 27], [51, 28, 29]]
        assert_own(jobs[1], list(range(20, 30)))


def test_equal_images_of_different_callers_are_embedded_once(metrics: ServiceMetrics) -> None:
    """A run holds each image once, whoever sent it. Copies take no place in it."""
    shared = REGISTRY.get_sample_value("semsim_images_total", {"source": "batch"}) or 0
    with batching(metrics) as (batcher, network):
        jobs = behind(batcher, network, [2, 3], [2, 4], [3, 2], [4, 5])
        assert network.runs == [[1], [2, 3, 4, 5]]
        assert_own(jobs[3], [3, 2])
    assert REGISTRY.get_sample_value("semsim_images_total", {"source": "batch"}) == shared + 4


def test_pairs_are_counted_when_their_later_image_is_done(metrics: ServiceMetrics) -> None:
    """A pair counts for the run that completes it."""
    before = REGISTRY.get_sample_value("semsim_batch_pairs_sum") or 0
    with batching(metrics) as (batcher, network):
        behind(batcher, network, [2, 3, 4, 5, 6, 7], [8, 9])
    assert REGISTRY.get_sample_value("semsim_batch_pairs_sum") == before + 4


def test_a_cancelled_caller_leaves_the_queue(metrics: ServiceMetrics) -> None:
    """Images for which nobody waits any more are not embedded."""

    async def run(batcher: Batcher, network: Network) -> Job:
        network.go.clear()
        first = asyncio.create_task(embed(batcher, [1]))
        await until(network.begun.is_set)
        gone = asyncio.create_task(embed(batcher, [2, 3]))
        stays = asyncio.create_task(embed(batcher, [4, 5]))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        assert len(batcher._waiting) == 1, "its images take no memory"
        network.go.set()
        await first
        return await stays

    with batching(metrics) as (batcher, network):
        assert_own(asyncio.run(run(batcher, network)), [4, 5])
        assert network.runs == [[1], [4, 5]]


def test_a_failing_run_fails_only_the_caller_at_fault(metrics: ServiceMetrics) -> None:
    """The other requests of the batch are run again by themselves, and later ones are served."""

    async def run(batcher: Batcher, network: Network) -> list[Job | BaseException]:
        network.go.clear()
        first = asyncio.create_task(embed(batcher, [1]))
        await until(network.begun.is_set)
        rest = [asyncio.create_task(embed(batcher, values)) for values in ([2, 3], [13, 4])]
        await asyncio.sleep(0)
        network.go.set()
        await first
        outcomes = await asyncio.gather(*rest, return_exceptions=True)
        return [*outcomes, await embed(batcher, [5])]

    before = REGISTRY.get_sample_value("semsim_images_total", {"source": "network"}) or 0
    with batching(metrics) as (batcher, network):
        good, bad, later = asyncio.run(run(batcher, network))
    assert REGISTRY.get_sample_value("semsim_images_total", {"source": "network"}) == before + 4
    assert isinstance(good, Job)
    assert_own(good, [2, 3])
    assert isinstance(bad, RuntimeError)
    assert isinstance(later, Job)
    assert_own(later, [5])


def test_the_cache_is_off_by_default(metrics: ServiceMetrics) -> None:
    """Without memory for it, no embedding outlives its request."""
    with batching(metrics) as (batcher, network):
        for _ in range(2):
            asyncio.run(embed(batcher, [7]))
        assert network.runs == [[7], [7]]


def test_the_cache_keeps_the_last_used_within_its_bytes(metrics: ServiceMetrics) -> None:
    """Known images take no run. The one that was unused for longest makes room."""
    with batching(metrics, cache_bytes=2 * (2 * 4 + 300)) as (batcher, network):
        for values in ([1], [2], [1], [3], [2]):
            assert_own(asyncio.run(embed(batcher, values)), values)
        assert network.runs == [[1], [2], [3], [2]]


def test_a_pair_counts_once_wherever_its_embeddings_come_from(metrics: ServiceMetrics) -> None:
    """Where a pair's later image is in the cache, the run that embeds the other one completes the pair."""
    before = REGISTRY.get_sample_value("semsim_batch_pairs_sum") or 0
    with batching(metrics, cache_bytes=10_000) as (batcher, network):
        asyncio.run(embed(batcher, [1, 2]))
        asyncio.run(embed(batcher, [3, 1]))
        assert network.runs == [[1, 2], [3]]
    assert REGISTRY.get_sample_value("semsim_batch_pairs_sum") == before + 2


@settings(deadline=None)  # a busy machine is no fault
@given(requests=st.lists(st.lists(st.integers(20, 60), min_size=1, max_size=11), min_size=1, max_size=12))
def test_whoever_asks_gets_their_own(metrics: ServiceMetrics, requests: list[list[int]]) -> None:
    """Whatever is merged, split, shared or cached, each caller gets the embeddings of its own images."""

    async def run(batcher: Batcher) -> list[Job]:
        return await asyncio.gather(*(embed(batcher, values) for values in requests))

    with batching(metrics, cache_bytes=3000) as (batcher, network):
        for job, values in zip(asyncio.run(run(batcher)), requests, strict=True):
            assert_own(job, values)
        assert all(len(run) <= BATCH for run in network.runs)


def test_closing_answers_what_waits(metrics: ServiceMetrics) -> None:
    """A batcher that is closed embeds the images that it has taken in."""

    async def run() -> Job:
        network = Network()
        network.go.clear()
        batcher = Batcher(network, 2, BATCH, metrics)
        task = asyncio.create_task(embed(batcher, [2, 3, 4, 5, 6]))
        await until(network.begun.is_set)
        network.go.set()
        await asyncio.get_running_loop().run_in_executor(None, batcher.close)
        return await task

    assert_own(asyncio.run(run()), [2, 3, 4, 5, 6])


def test_closing_has_a_limit(metrics: ServiceMetrics) -> None:
    """A run of the network that does not end holds up nobody, and nothing runs after it."""

    async def run() -> None:
        network = Network()
        network.go.clear()
        batcher = Batcher(network, 2, BATCH, metrics)
        task = asyncio.create_task(embed(batcher, [2, 3, 4, 5, 6]))
        await until(network.begun.is_set)
        assert not batcher.close(0.05)
        network.go.set()
        assert batcher.close()
        assert network.runs == [[2, 3, 4, 5]]
        task.cancel()

    asyncio.run(run())


def test_a_free_fast_network_runs_in_the_callers_thread(metrics: ServiceMetrics) -> None:
    """Images are embedded at once where the network is idle and was fast; else they wait for their turn."""

    async def run(batcher: Batcher, network: Network) -> None:
        assert batcher.embed_at_once(*request_of([1, 2])) is None, "nobody knows yet how fast the network is"
        await embed(batcher, [1])
        batcher.image_seconds = 0.001
        await until(lambda: batcher.is_free(3))  # the answer is there a moment before its run is over
        job = batcher.embed_at_once(*request_of([2, 3, 2]))
        assert job is not None
        assert_own(job, [2, 3, 2])
        assert network.runs == [[1], [2, 3]]
        batcher.image_seconds = 0.001
        assert batcher.embed_at_once(*request_of([1, 2, 3, 4, 5])) is None, "more than a batch"
        with pytest.raises(RuntimeError, match="unlucky"):
            batcher.embed_at_once(*request_of([13]))
        batcher.image_seconds = 0.003
        assert batcher.embed_at_once(*request_of([1, 2])) is None, "a slow network"
        batcher.image_seconds = 0.001
        network.begun.clear()
        network.go.clear()
        waiting = asyncio.create_task(embed(batcher, [4]))
        await until(network.begun.is_set)
        assert batcher.embed_at_once(*request_of([5])) is None, "a busy network"
        network.go.set()
        assert_own(await waiting, [4])

    with batching(metrics) as (batcher, network):
        asyncio.run(run(batcher, network))


def _batchers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "batcher"}


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """The thread of every batcher here ends. Those of services that other tests share go on."""
    before = _batchers()
    yield
    assert _batchers() <= before


def test_a_run_that_does_not_end_is_known(metrics: ServiceMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batcher says that it is stuck while a run takes too long, and no more once it has ended."""
    monkeypatch.setattr(batcher_module, "_STUCK_SECONDS", 0.05)

    async def run() -> None:
        with batching(metrics) as (batcher, network):
            network.go.clear()
            work = asyncio.create_task(embed(batcher, [1, 2]))
            assert not batcher.is_stuck
            await until(lambda: batcher.is_stuck)
            network.go.set()
            await work
            assert not batcher.is_stuck

    asyncio.run(run())
