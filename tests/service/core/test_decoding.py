"""Hostile pictures hold up neither small requests, nor a deadline, nor a stop."""

import asyncio
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from semsim import Scorer
from semsim.exceptions import ErrorCode, RequestError, RequestTimeout
from semsim.pairs import PairFailure
from semsim_service.core import decoding
from semsim_service.core.call import Transport
from semsim_service.core.claim import Claim
from semsim_service.core.lane import Lane
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.core.received import ReceivedPair, ReceivedRequest
from semsim_service.core.schemas import FailedPair, ScoredPair, ScoreResponse
from semsim_service.core.scoring import ScoringCore
from semsim_service.settings import Settings
from tests.encoded import encode, picture

PATIENCE = 60.0
HUGE = [(encode(np.full((4096, 4096, 3), 9 * i, dtype=np.uint8)), encode(picture(64, 64, seed=i))) for i in range(7)]
"""Pairs whose decoding and pixel metrics take many seconds."""
SMALL = [(encode(picture(32, 32, seed=1)), encode(picture(32, 32, seed=2)))]


@pytest.fixture
def core(small_artifact: Path, metrics: ServiceMetrics) -> Iterator[ScoringCore]:
    """A core with one thread for small requests."""
    core = ScoringCore(Scorer(small_artifact), Settings(decode_threads=1), metrics)
    yield core
    core.close()
    assert not decoders()


def decoders() -> list[psutil.Process]:
    """The processes of decoders."""
    return [child for child in psutil.Process().children() if "picture_process" in " ".join(child.cmdline())]


async def ask(core: ScoringCore, pairs: list[tuple[bytes, bytes]], seconds: float = PATIENCE) -> ScoreResponse:
    """Score pairs as a transport does."""
    received = ReceivedRequest([ReceivedPair(None, *pair) for pair in pairs])
    async with core.request(Transport.HTTP, request_id="r", seconds=seconds) as call:
        call.reserve_bytes(sum(map(len, sum(pairs, ()))))
        return await core.score(call, lambda: received, Claim(len(pairs)))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


def test_small_requests_go_on_beside_huge_ones(core: ScoringCore) -> None:
    """Many small requests are answered while three huge ones are at work, more than there are threads for them."""

    async def run() -> None:
        huge = [asyncio.create_task(ask(core, HUGE)) for _ in range(3)]
        await until(lambda: core.decoders_busy >= 2)
        for _ in range(20):
            answer = await ask(core, SMALL)
            assert isinstance(answer.results[0], ScoredPair)
        assert not any(task.done() for task in huge)
        for task in huge:
            task.cancel()
        await asyncio.wait(huge)
        await until(lambda: core.decoders_busy == 0)

    asyncio.run(run())


def test_the_deadline_ends_the_work(core: ScoringCore) -> None:
    """A thread or a process that decodes ends soon after its caller has the timeout."""

    async def run() -> None:
        with pytest.raises(RequestTimeout):
            await ask(core, HUGE, seconds=0.5)
        began = time.monotonic()
        await until(lambda: core.decoders_busy == 0)
        assert time.monotonic() - began < 5

    asyncio.run(run())


def test_who_gives_up_leaves_no_body() -> None:
    """Work that waits for a thread is let go of when its caller is: any number may come and go."""

    class Body:
        """A request that may be large."""

        def work(self) -> None:
            """Do nothing with it."""

    async def run() -> None:
        lane, go = Lane("test", 1), threading.Event()
        first = lane.run(go.wait, time.monotonic() + PATIENCE)
        body = Body()
        second, left = lane.run(body.work, time.monotonic() + PATIENCE), weakref.ref(body)
        del body
        second.cancel()
        await until(lambda: left() is None)
        go.set()
        await first
        assert lane.close(PATIENCE)

    asyncio.run(run())


def test_a_long_small_request_gives_way(core: ScoringCore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request of small bytes that takes its fair share of time begins again among the large ones, and is answered."""
    monkeypatch.setattr(decoding, "SMALL_REQUEST_SECONDS", 0.0)
    answer = asyncio.run(ask(core, SMALL))
    assert isinstance(answer.results[0], ScoredPair)
    assert core._work.decoding._large._threads


def test_a_stop_ends_the_work(core: ScoringCore) -> None:
    """A core closes within its seconds while pictures are decoded, and leaves no process."""

    async def run() -> None:
        tasks = [asyncio.create_task(ask(core, HUGE)) for _ in range(2)]
        await until(lambda: len(decoders()) == 2)
        began = time.monotonic()
        await asyncio.to_thread(core.close, 5.0)
        assert time.monotonic() - began < 5
        for task in tasks:
            with suppress(RequestError):
                await task

    asyncio.run(run())


def test_a_decoder_that_dies_fails_its_pair_alone(core: ScoringCore) -> None:
    """The system may kill a process that takes too much memory: the other pairs are scored."""
    large = encode(picture(1400, 1400))

    async def run() -> ScoreResponse:
        task = asyncio.create_task(ask(core, [(large, large), *SMALL, (encode(picture(1500, 1500)),) * 2]))
        await until(lambda: bool(decoders()))
        decoders()[0].kill()
        return await task

    first, second, third = asyncio.run(run()).results
    assert isinstance(first, FailedPair)
    assert first.error.code is ErrorCode.INTERNAL
    assert isinstance(second, ScoredPair)
    assert isinstance(third, ScoredPair)


def test_pieces_give_what_the_whole_gives(core: ScoringCore, small_artifact: Path) -> None:
    """A request that is prepared in pieces, with large and small pictures, has the library's numbers."""
    original = encode(picture(700, 700))
    pairs = [(original, encode(picture(700, 700, seed=seed), "JPEG")) for seed in range(1, 5)]
    pairs += [(encode(picture(1100, 1100)), encode(picture(1100, 1100, seed=8), "WEBP")), (b"no picture", original)]
    pairs += [*SMALL, pairs[0]]
    answer = asyncio.run(ask(core, pairs))
    for got, expected in zip(answer.results, Scorer(small_artifact).score_pairs(pairs), strict=True):
        if isinstance(expected, PairFailure):
            assert isinstance(got, FailedPair)
            assert (got.error.code, got.error.message) == (expected.code, expected.message)
        else:
            assert isinstance(got, ScoredPair)
            assert got.distance == pytest.approx(expected.distance, abs=1e-5)
            assert (got.mse, got.ssim, got.uninformative) == (expected.mse, expected.ssim, expected.uninformative)


def test_a_lane_is_stuck_where_no_thread_ends() -> None:
    """One thread that is late is not enough: another one takes the work."""
    lane = Lane("stuck", 2)

    async def run() -> None:
        go = asyncio.Event()
        loop = asyncio.get_running_loop()

        def wait() -> None:
            asyncio.run_coroutine_threadsafe(go.wait(), loop).result(PATIENCE)

        assert not lane.is_stuck
        late = time.monotonic() - 10
        tasks = [lane.run(wait, late)]
        await until(lambda: lane.busy == 1)
        assert not lane.is_stuck
        tasks.append(lane.run(wait, late))
        await until(lambda: lane.busy == 2)
        assert lane.is_stuck
        assert not lane.close(0.05)
        go.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert lane.close(PATIENCE)
