"""Little requests are scored in groups, each with its own scores, and only the one at fault fails."""

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY

from semsim import Scorer
from semsim.exceptions import InvalidGraph, RequestTimeout
from semsim.images import RGBImage
from semsim.scorer import PairScore, PreparedPairs
from semsim_service.core import pair_work
from semsim_service.core.batcher import Batcher
from semsim_service.core.call import Source, Transport
from semsim_service.core.claim import Claim
from semsim_service.core.group_scoring import GroupScoring
from semsim_service.core.image_batch import Job
from semsim_service.core.image_digests import keyed_digest
from semsim_service.core.little_request import LittleRequest
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.core.received import ReceivedPair, ReceivedRequest
from semsim_service.core.run_counts import NotedRuns
from semsim_service.core.schemas import FailedPair, ScoredPair, ScoredPairBesideControls, ScoreResponse
from semsim_service.core.scoring import ScoringCore
from semsim_service.settings import Settings
from tests.encoded import encode, picture

PATIENCE = 60.0
BATCH = 8
UNLUCKY = picture(32, 32, seed=13)
Images = Sequence[tuple[RGBImage, RGBImage]]


class Watched:
    """A core whose preparations and runs of the network are noted, and wait where they are told to."""

    def __init__(self, artifact: Path, metrics: ServiceMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scorer, self.library = Scorer(artifact), Scorer(artifact)
        self.prepared: list[tuple[str, int]] = []
        """The thread and the number of pairs of each preparation."""
        self.embedding, self.go = threading.Event(), threading.Event()
        self.go.set()
        prepare, embed = self.scorer.prepare, self.scorer.embed_prepared

        def noted(originals: Sequence[RGBImage], *rest: Sequence[RGBImage], **options: Any) -> PreparedPairs:
            self.prepared.append((threading.current_thread().name, len(originals)))
            if any(np.array_equal(image, UNLUCKY) for image in originals):
                raise RuntimeError("an unlucky image")
            return prepare(originals, *rest, **options)

        def held(images: np.ndarray) -> np.ndarray:
            self.embedding.set()
            assert self.go.wait(PATIENCE)
            return embed(images)

        monkeypatch.setattr(self.scorer, "prepare", noted)
        monkeypatch.setattr(self.scorer, "embed_prepared", held)
        self.core = ScoringCore(self.scorer, Settings(batch_size=BATCH), metrics)

    async def ask(self, pairs: Images, controls: bool = True, histogram: bool = False) -> ScoreResponse:
        """Score raw pairs, as a transport does for a caller among others."""
        received = ReceivedRequest([ReceivedPair(None, *pair) for pair in pairs], controls, histogram)
        claim = Claim(len(pairs), sum(image.size // 3 for pair in pairs for image in pair))
        async with self.core.request(Transport.HTTP, request_id="r", source=Source) as call:
            return await self.core.score(call, lambda: received, claim)

    async def behind(self, *requests: Callable[[], "asyncio.Future[ScoreResponse]"]) -> list[object]:
        """The outcomes of requests that come while the network is busy, and another group waits for it."""
        self.go.clear()
        first = asyncio.create_task(self.ask(pairs(1, seed=100)))
        await until(self.embedding.is_set)
        second = asyncio.create_task(self.ask(pairs(1, seed=200)))
        await until(lambda: len(self.prepared) == 2)
        rest = [asyncio.ensure_future(request()) for request in requests]
        await asyncio.sleep(0.05)
        assert len(self.prepared) == 2, "a third group waits for more requests"
        self.go.set()
        await asyncio.gather(first, second)
        return await asyncio.gather(*rest, return_exceptions=True)


@pytest.fixture
def watched(calibrated_artifact: Path, metrics: ServiceMetrics, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """A core with a batch of eight images."""
    watched = Watched(calibrated_artifact, metrics, monkeypatch)
    yield watched
    watched.go.set()
    watched.core.close()


def pairs(count: int, seed: int) -> list[tuple[RGBImage, RGBImage]]:
    """Different pairs of little pictures."""
    return [(picture(32, 32, seed=seed + i), picture(24, 24, seed=seed + 50 + i)) for i in range(count)]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


def assert_own(answer: object, expected: Sequence[PairScore]) -> None:
    """An answer has the library's numbers for its own pairs."""
    assert isinstance(answer, ScoreResponse)
    for got, score in zip(answer.results, expected, strict=True):
        assert isinstance(got, ScoredPair)
        numbers = {field.name: getattr(got, field.name) for field in fields(PairScore)}
        assert numbers == {
            name: value if value is None or isinstance(value, bool | str) else pytest.approx(value, abs=1e-5)
            for name, value in asdict(score).items()
        }


def test_what_came_meanwhile_is_prepared_together(watched: Watched) -> None:
    """A group holds whole requests up to a batch, is prepared in a thread of its own, and gives each its scores."""
    asked = [pairs(1, seed=1), pairs(2, seed=10), pairs(1, seed=20), pairs(3, seed=30), pairs(6, seed=40)]
    expected = [watched.library.score_images(*zip(*one, strict=True)) for one in asked]
    watched.prepared.clear()
    answers = asyncio.run(watched.behind(*(lambda one=one: watched.ask(one) for one in asked)))  # type: ignore[misc]
    assert watched.prepared == [("groups", count) for count in (1, 1, 4, 3, 6)]
    for answer, own in zip(answers, expected, strict=True):
        assert_own(answer, own)


def test_a_process_of_its_own_has_large_groups(watched: Watched) -> None:
    """A group there is half of what waits, up to four batches; a short run of the network stays in its thread."""
    runs: list[str] = []
    embed = watched.scorer.embed_prepared
    scorer, told = watched.scorer, list[Exception | None]()

    def noted(images: np.ndarray) -> np.ndarray:
        runs.append(threading.current_thread().name)
        return embed(images)

    batcher = Batcher(noted, scorer.manifest.embedding.dimension, BATCH, NotedRuns())
    groups = GroupScoring(
        scorer,
        keyed_digest(),
        batcher,
        BATCH,
        owns_process=True,
        tell=lambda requests, error: told.extend([error] * len(requests)),
    )
    try:
        for network, thread in ((0.0, "groups"), (1.0, "batcher")):
            batcher.image_seconds = network
            watched.prepared.clear()
            runs.clear()
            told.clear()
            groups.take([LittleRequest([a], [b], False, False) for a, b in pairs(40, seed=100)])
            asyncio.run(until(lambda: len(told) == 40))
            assert told == [None] * 40
            counts = [count for _, count in watched.prepared]
            assert counts == [16, 12, 6, 4, 2] if thread == "groups" else counts[:2] == [16, 4], "then a batch each"
            assert runs[0] == thread
    finally:
        groups.close(PATIENCE)
        batcher.close(PATIENCE)


def test_controls_are_for_those_who_ask(watched: Watched) -> None:
    """Within one group a caller has a chance, another one none, and a third one a histogram."""
    one = pairs(1, seed=1)
    with_them, without, histogram = asyncio.run(
        watched.behind(
            lambda: watched.ask(one),  # type: ignore[arg-type, return-value]
            lambda: watched.ask(one, controls=False),  # type: ignore[arg-type, return-value]
            lambda: watched.ask(one, histogram=True),  # type: ignore[arg-type, return-value]
        )
    )
    assert watched.prepared[2:] == [("groups", 3)]
    assert isinstance(with_them, ScoreResponse)
    assert isinstance(without, ScoreResponse)
    assert isinstance(histogram, ScoreResponse)
    first, second, third = (answer.results[0] for answer in (with_them, without, histogram))
    assert isinstance(first, ScoredPair)
    assert isinstance(second, ScoredPair)
    assert isinstance(third, ScoredPairBesideControls)
    assert first.chance is not None
    assert second == first.model_copy(update={"chance": None, "identified": None})
    assert third.controls_histogram is not None
    assert sum(third.controls_histogram.counts) == 150
    assert third.distance == first.distance


def test_only_the_request_at_fault_fails(watched: Watched) -> None:
    """A group that fails is scored again, each request by itself."""
    bad = [(UNLUCKY, UNLUCKY)]
    good = pairs(1, seed=1), pairs(1, seed=2)
    expected = [watched.library.score_images(*zip(*one, strict=True)) for one in good]
    first, failed, last = asyncio.run(
        watched.behind(*(lambda one=one: watched.ask(one) for one in (good[0], bad, good[1])))  # type: ignore[misc]
    )
    assert isinstance(failed, RuntimeError)
    assert_own(first, expected[0])
    assert_own(last, expected[1])


def test_who_gives_up_leaves_the_queue(watched: Watched) -> None:
    """Pairs for which nobody waits any more are not prepared."""

    async def give_up() -> ScoreResponse:
        task = asyncio.ensure_future(watched.ask(pairs(1, seed=1)))
        await asyncio.sleep(0.01)
        task.cancel()
        return await task

    gone, stays = asyncio.run(watched.behind(give_up, lambda: watched.ask(pairs(2, seed=2))))  # type: ignore[arg-type, return-value]
    assert isinstance(gone, asyncio.CancelledError)
    assert isinstance(stays, ScoreResponse)
    assert watched.prepared[2:] == [("groups", 2)]


def test_equal_images_of_two_requests_are_embedded_once(watched: Watched) -> None:
    """Copies of another caller's image take no place in the network's run, and are counted."""
    before = REGISTRY.get_sample_value("semsim_images_total", {"source": "batch"}) or 0
    one = pairs(1, seed=1)
    asyncio.run(watched.behind(*[lambda: watched.ask(one)] * 3))  # type: ignore[list-item]
    assert REGISTRY.get_sample_value("semsim_images_total", {"source": "batch"}) == before + 4


def test_who_gives_up_leaves_no_images(watched: Watched) -> None:
    """A request that waits for its group leaves the queue with its caller: any number may come and go."""

    async def run() -> None:
        waiting, others = watched.core._work._groups._waiting, []
        watched.go.clear()
        for count in (1, 2):  # one at the network, and one behind it
            others.append(asyncio.create_task(watched.ask(pairs(1, seed=100 * count))))
            await until(lambda count=count: len(watched.prepared) == count)  # type: ignore[misc]
        gone = [asyncio.create_task(watched.ask(pairs(4, seed=i))) for i in range(5)]
        await until(lambda: len(waiting) == len(gone))
        for task in gone:
            task.cancel()
        await asyncio.wait(gone)
        assert not waiting
        watched.go.set()
        await asyncio.gather(*others)

    asyncio.run(run())


def test_encoded_pictures_join_a_group_once_they_are_decoded(watched: Watched) -> None:
    """A small PNG is decoded in a thread for it; a bad one fails its pair alone."""
    (first, second), files = pairs(1, seed=1)[0], list[ReceivedPair]()
    files = [ReceivedPair(None, encode(first), encode(second)), ReceivedPair(None, b"no picture", encode(second))]

    async def ask() -> ScoreResponse:
        async with watched.core.request(Transport.HTTP, request_id="r", source=Source) as call:
            return await watched.core.score(call, lambda: ReceivedRequest(files), Claim(2))

    raw, encoded = asyncio.run(watched.behind(lambda: watched.ask([(first, second)]), ask))  # type: ignore[arg-type, return-value]
    assert watched.prepared[2:] == [("groups", 2)]
    assert isinstance(raw, ScoreResponse)
    assert isinstance(encoded, ScoreResponse)
    assert encoded.results[0] == raw.results[0]
    assert isinstance(encoded.results[1], FailedPair)


def test_pictures_that_wait_take_bounded_memory(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once many decoded pixels wait, encoded pictures are prepared where they are decoded; raw ones are in the body."""
    monkeypatch.setattr(pair_work, "_MOST_PIXELS", 1)
    first, second = pairs(1, seed=1)[0]
    files = [ReceivedPair(None, encode(first), encode(second))]

    async def ask() -> ScoreResponse:
        async with watched.core.request(Transport.HTTP, request_id="r", source=Source) as call:
            return await watched.core.score(call, lambda: ReceivedRequest(files), Claim(1))

    async def run() -> tuple[ScoreResponse, ScoreResponse]:
        watched.go.clear()
        raw = asyncio.create_task(watched.ask([(first, second)]))
        await until(watched.embedding.is_set)
        encoded = asyncio.create_task(ask())
        await until(lambda: len(watched.prepared) == 2)
        watched.go.set()
        return await raw, await encoded

    raw, encoded = asyncio.run(run())
    assert watched.prepared == [("groups", 1), ("decode", 1)]
    assert encoded.results == raw.results
    assert watched.core._work.has_room()


def test_want_of_memory_fails_its_request_alone(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails between preparation and network is an answer, and the thread goes on."""
    batcher = watched.core._work._batcher
    make, failures = batcher.job, [MemoryError()]

    def job(images: np.ndarray, digests: Sequence[bytes], last_rows: np.ndarray) -> Job:
        if failures:
            raise failures.pop()
        return make(images, digests, last_rows)

    monkeypatch.setattr(batcher, "job", job)

    async def run() -> ScoreResponse:
        with pytest.raises(MemoryError):
            await watched.ask(pairs(1, seed=1))
        return await watched.ask(pairs(1, seed=2))

    assert isinstance(asyncio.run(run()).results[0], ScoredPair)


def test_a_network_that_gives_no_numbers_gives_no_scores(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """NaN is an error in the answer, never a pair that is not recognizable."""
    monkeypatch.setattr(
        watched.core._work._batcher, "_embed", lambda images: np.full((len(images), 8), np.nan, dtype=np.float32)
    )
    watched.core._work._batcher._dimension = 8
    with pytest.raises(InvalidGraph):
        asyncio.run(watched.ask(pairs(1, seed=1)))


def test_a_group_leaves_no_ring_that_holds_its_images(watched: Watched) -> None:
    """Images are freed when their request is answered, not when the collector comes."""

    async def run() -> None:
        for seed in range(5):
            await watched.ask(pairs(1, seed=seed))

    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        asyncio.run(run())
        gc.collect()
        assert not [one for one in gc.garbage if isinstance(one, Job | LittleRequest | np.ndarray)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_a_close_answers_what_waits(watched: Watched) -> None:
    """Requests that are taken in are scored before the threads end."""

    async def run() -> list[ScoreResponse]:
        watched.go.clear()
        tasks = [asyncio.create_task(watched.ask(pairs(2, seed=10 * i))) for i in range(4)]
        await until(watched.embedding.is_set)
        closing = asyncio.create_task(asyncio.to_thread(watched.core.close, PATIENCE))
        watched.go.set()
        await closing
        return await asyncio.gather(*tasks)

    assert all(isinstance(answer.results[0], ScoredPair) for answer in asyncio.run(run()))


def test_the_deadline_ends_the_wait(watched: Watched) -> None:
    """A caller behind a network that hangs has its timeout."""

    async def run() -> None:
        watched.go.clear()
        received = ReceivedRequest([ReceivedPair(None, *pairs(1, seed=1)[0])])
        async with watched.core.request(Transport.HTTP, request_id="r", seconds=0.2, source=Source) as call:
            await watched.core.score(call, lambda: received, Claim(1, 2 * 32**2))

    with pytest.raises(RequestTimeout):
        asyncio.run(run())
