"""Little requests are scored in another process, and in this one where that fails."""

import asyncio
import errno
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest
from prometheus_client import REGISTRY

from semsim import Scorer
from semsim.exceptions import ImageTooSmall
from semsim_service.core import pair_work, remote_scoring
from semsim_service.core.call import Source, Transport
from semsim_service.core.child_process import start_child
from semsim_service.core.claim import Claim
from semsim_service.core.company import COMPANY_SECONDS
from semsim_service.core.little_request import LittleRequest
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.core.pair_work import known_pairs
from semsim_service.core.received import ReceivedPair, ReceivedRequest
from semsim_service.core.remote_scoring import RemoteScoring
from semsim_service.core.run_counts import NotedRuns
from semsim_service.core.schemas import ScoredPair, ScoreResponse
from semsim_service.core.scoring import ScoringCore
from semsim_service.core.scoring_messages import TRIAL, Answer, message
from semsim_service.core.scoring_process import serve
from semsim_service.settings import Settings
from tests.conftest import CPU
from tests.encoded import picture

PATIENCE = 60.0


class Beside:
    """A core with its scoring process, and one without."""

    def __init__(self, artifact: Path, metrics: ServiceMetrics) -> None:
        settings = Settings(batch_size=8, providers=CPU, request_seconds=50)
        self.core, self.alone = (
            ScoringCore(
                Scorer(artifact, providers=CPU), settings.model_copy(update={"scoring_process": wanted}), metrics
            )
            for wanted in (True, False)
        )

    @property
    def remote(self) -> RemoteScoring:
        """The core's side of the process."""
        remote = self.core._work._remote
        assert remote is not None
        return remote

    @property
    def process(self) -> psutil.Process:
        """The process."""
        process = self.remote._process
        assert process is not None
        return psutil.Process(process.pid)

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The result of ``work``, which begins when the process takes requests."""

        async def ready() -> Any:
            await self.core.start()
            await until(lambda: self.remote.is_ready)
            looking = asyncio.create_task(self.core.observe_queue())
            try:
                return await work()
            finally:
                looking.cancel()
                await asyncio.to_thread(self.close)

        return asyncio.run(ready())

    def close(self) -> None:
        """End the threads and the process."""
        self.core.close()
        self.alone.close()


@pytest.fixture
def beside(calibrated_artifact: Path, metrics: ServiceMetrics) -> Iterator[Beside]:
    """A core with its scoring process, and one without."""
    beside = Beside(calibrated_artifact, metrics)
    yield beside
    beside.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread or process."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)


async def ask(core: ScoringCore, seed: int, count: int = 1, **wishes: bool) -> ScoreResponse:
    """Score raw pairs, as a transport does."""
    pairs = [
        ReceivedPair(None, picture(32, 32, seed=seed + i), picture(24, 24, seed=seed + 50 + i)) for i in range(count)
    ]
    claim = Claim(count, sum(np.size(image) // 3 for pair in pairs for image in (pair.original, pair.reconstruction)))
    async with core.request(Transport.HTTP, request_id="r", source=Source) as call:
        return await core.score(call, lambda: ReceivedRequest(pairs, **wishes), claim)


async def ask_many(core: ScoringCore) -> list[ScoreResponse]:
    """Score many requests at once."""
    return await asyncio.gather(
        *(ask(core, 1000 * seed, 1 + seed % 3, controls=seed % 2 == 0, histogram=seed % 5 == 0) for seed in range(60))
    )


def total(name: str, **labels: str) -> float:
    """The value of a counter."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_it_answers_as_this_process_does(beside: Beside) -> None:
    """Each request has its own scores, chances and histograms, and the images are counted here."""

    async def work() -> tuple[list[ScoreResponse], list[ScoreResponse], float]:
        before = total("semsim_images_total", source="network")
        remote = await ask_many(beside.core)
        after = total("semsim_images_total", source="network")
        return remote, await ask_many(beside.alone), after - before

    remote, alone, images = beside.run(work)
    for one, other in zip(remote, alone, strict=True):
        assert one.model_dump() == approximately(other.model_dump())
    assert images == 2 * sum(1 + seed % 3 for seed in range(60))


def approximately(value: Any) -> Any:
    """A value in which numbers may differ a little: those of a network do with the images beside them."""
    if isinstance(value, dict):
        return {name: approximately(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [approximately(inner) for inner in value]
    return pytest.approx(value, rel=1e-4, abs=1e-5) if isinstance(value, float) else value


def test_it_has_the_controls_of_the_worker(calibrated_artifact: Path, metrics: ServiceMetrics) -> None:
    """A worker whose scorer has no controls identifies nothing, wherever a request is scored."""
    core = ScoringCore(Scorer(calibrated_artifact, providers=CPU, controls=False), Settings(providers=CPU), metrics)
    if core._work._remote is None:
        pytest.skip("one core has no scoring process")

    async def work() -> ScoreResponse:
        await core.start()
        await until(lambda: core._work._remote is not None and core._work._remote.is_ready)
        return await ask(core, 1)

    try:
        (result,) = asyncio.run(work()).results
        assert core._work._remote._count == 1
    finally:
        core.close()
    assert isinstance(result, ScoredPair)
    assert result.chance is result.identified is None


@pytest.mark.parametrize("said", [b"not a message of ours", message(Answer([], NotedRuns()))[:-5]])
def test_half_an_answer_is_none(beside: Beside, said: bytes) -> None:
    """A process that ends within an answer, or says something else, is replaced. Its requests are scored here."""

    async def work() -> ScoreResponse:
        beside.process.suspend()
        asked = asyncio.create_task(ask(beside.core, 1))
        await until(lambda: bool(beside.remote._asked))
        beside.remote.data_received(said)
        beside.process.kill()
        answer = await asked
        await until(lambda: beside.remote.is_ready)
        return answer

    assert len(beside.run(work).results) == 1


def test_a_lone_caller_stays_in_the_worker(beside: Beside) -> None:
    """One pair at a time of one caller is scored where it comes in; so the worker knows how fast its network is."""

    async def alone(seed: int) -> None:
        pair = ReceivedPair(None, picture(32, 32, seed=seed), picture(32, 32, seed=seed + 1))
        here = lambda: Source(peer="127.0.0.1:1")  # noqa: E731
        async with beside.core.request(Transport.HTTP, request_id="r", source=here) as call:
            await beside.core.score(call, lambda: ReceivedRequest([pair]), Claim(1, 2 * 32 * 32))

    async def work() -> None:
        await alone(0)  # nobody knows yet that no other comes
        await asyncio.sleep(COMPANY_SECONDS)
        asked = beside.remote._count
        for seed in range(1, 4):
            await alone(seed)
        assert beside.remote._count == asked
        assert beside.core._work._batcher.image_seconds < 1
        await ask(beside.core, 10)
        assert beside.remote._count == asked + 1

    beside.run(work)


def test_no_request_is_lost_with_the_process(beside: Beside, caplog: pytest.LogCaptureFixture) -> None:
    """The requests that it has when it is killed are scored here, and another process is started."""

    async def work() -> list[ScoreResponse]:
        beside.process.suspend()
        asked = asyncio.create_task(ask_many(beside.core))
        await until(lambda: bool(beside.remote._asked) and bool(beside.remote._waiting))
        first = beside.process.pid
        os.kill(first, signal.SIGKILL)
        answers = await asked
        assert not beside.remote.is_ready
        await until(lambda: beside.remote.is_ready)
        assert beside.process.pid != first
        await ask_many(beside.core)
        return answers

    before = total("semsim_scoring_process_ends_total")
    with caplog.at_level(logging.ERROR, "semsim.service"):
        assert len(beside.run(work)) == 60
    assert total("semsim_scoring_process_ends_total") == before + 1
    (line,) = caplog.messages
    assert line.startswith("the scoring process ended (exit status -9, as the kernel ends one for want of memory)")


def test_another_one_has_the_priority_of_the_first(beside: Beside) -> None:
    """The thread of the event loop gives way to the network, after the first start. No later process does."""

    async def work() -> tuple[int, int]:
        os.nice(3)
        first = beside.process
        first.kill()
        await until(lambda: beside.remote.is_ready and beside.process.pid != first.pid)
        return beside.process.nice(), psutil.Process().nice()

    with ThreadPoolExecutor(1) as pool:  # it alone is nicer after this
        there, here = pool.submit(beside.run, work).result()
    assert there == here


def test_it_has_the_code_of_its_worker(
    beside: Beside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The folder in which a service starts may hold another `semsim`: its scores would be others'."""
    for package in ("semsim", "semsim_service"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)

    async def work() -> ScoreResponse:
        return await ask(beside.core, 1)

    assert len(beside.run(work).results) == 1
    assert not caplog.messages


def test_one_with_other_scores_is_not_used(beside: Beside, caplog: pytest.LogCaptureFixture) -> None:
    """Where a package is exchanged under a worker, two versions would score: the worker then scores alone."""

    async def work() -> None:
        trial = known_pairs(beside.core._work._scorer)
        trial.scores[1] = replace(trial.scores[1], distance=trial.scores[1].distance * 1.01)
        await beside.remote.start(trial)
        await until(lambda: len(caplog.messages) == 2)
        await asyncio.sleep(2 * remote_scoring._FIRST_DELAY)
        assert beside.remote._process is None
        assert not beside.remote.is_ready
        assert len((await ask(beside.core, 1)).results) == 1

    before = total("semsim_scoring_process_ends_total")
    asyncio.run(work())
    assert total("semsim_scoring_process_ends_total") == before + 1
    reason = "gave a known pair other scores than the worker, perhaps those of another version"
    assert caplog.messages == [
        f"the scoring process {reason}, and is killed",
        "the scoring process ended (killed by its worker): the worker scores alone until it is started again",
    ]


def test_one_that_cannot_score_is_replaced(beside: Beside, caplog: pytest.LogCaptureFixture) -> None:
    """A process that fails at the trial, perhaps for want of memory, gets no request."""
    bad = LittleRequest([picture(5, 5, seed=1)], [picture(5, 5, seed=1)], controls=True, histogram=False)

    async def work() -> None:
        await beside.remote.start(bad)
        await until(lambda: bool(caplog.messages))
        assert not beside.remote.is_ready
        beside.remote._trial = known_pairs(beside.core._work._scorer)
        await until(lambda: beside.remote.is_ready)

    asyncio.run(work())
    assert caplog.messages[0] == "the scoring process could not score a known pair, and is killed"


def test_one_that_hangs_is_killed(
    beside: Beside, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that has requests and says nothing is killed, and they are scored here."""
    monkeypatch.setattr(remote_scoring, "_SILENT_SECONDS", 0.5)

    async def work() -> ScoreResponse:
        await asyncio.sleep(1.0)
        await ask(beside.core, 1)  # one that had nothing to do for long does not hang
        beside.process.suspend()
        return await ask(beside.core, 2)

    with caplog.at_level(logging.ERROR, "semsim.service"):
        assert len(beside.run(work).results) == 1
    assert caplog.messages == ["the scoring process said nothing for 0.5 s, and is killed"]


def test_one_that_does_not_die_has_no_request(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take long to end a process, which waits for a disk perhaps. Nobody waits for it."""
    monkeypatch.setattr(remote_scoring, "_SILENT_SECONDS", 0.5)

    async def work() -> ScoreResponse:
        process = beside.process
        monkeypatch.setattr(beside.remote._process, "kill", lambda: None)
        process.suspend()
        try:
            return await ask(beside.core, 2)
        finally:
            process.kill()

    assert len(beside.run(work).results) == 1


def test_one_that_loses_a_request_is_killed(
    beside: Beside, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that answers others, and one never, is killed: the one is scored here."""
    monkeypatch.setattr(remote_scoring, "_LOST_SECONDS", 0.5)
    there = beside.remote

    async def work() -> None:
        send, lost = there._send, asyncio.create_task(ask(beside.core, 1))
        monkeypatch.setattr(remote_scoring, "message", lambda _: b"")
        await until(lambda: bool(there._asked))
        monkeypatch.undo()
        monkeypatch.setattr(remote_scoring, "_LOST_SECONDS", 0.5)
        assert there._send == send
        while not lost.done():
            assert len((await ask(beside.core, 2, 8)).results) == 8
        assert len(lost.result().results) == 1

    beside.run(work)
    assert caplog.messages[0] == "the scoring process did not answer a request within 0.5 s, and is killed"


def test_a_question_that_cannot_be_sent_is_answered_here(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker without memory for a message scores what it would have sent."""
    failures = [MemoryError()]

    def fail(content: object) -> bytes:
        if failures:
            raise failures.pop()
        return message(content)

    async def work() -> list[ScoreResponse]:
        monkeypatch.setattr(remote_scoring, "message", fail)
        return await ask_many(beside.core)

    assert len(beside.run(work)) == 60


def test_an_answer_that_cannot_be_sent_ends_the_process(
    beside: Beside, calibrated_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker learns by the end of the process that it must score what was asked."""
    exits: list[int] = []

    def leave(code: int) -> None:
        exits.append(code)
        raise SystemExit

    monkeypatch.setattr(os, "_exit", leave)
    ours, theirs = socket.socketpair()
    with ours, theirs, ThreadPoolExecutor(1) as pool:
        serving = pool.submit(serve, theirs)
        ours.shutdown(socket.SHUT_RD)
        ours.sendall(message(beside.remote._model))
        picture_of_it = picture(32, 32, seed=1)
        ours.sendall(message([(TRIAL, [picture_of_it], [picture_of_it], True, False)]))
        deadline = time.monotonic() + PATIENCE
        while not exits and time.monotonic() < deadline:
            time.sleep(0.01)
        ours.shutdown(socket.SHUT_WR)
        with pytest.raises(SystemExit):
            serving.result(PATIENCE)
    assert exits == [1, 0]


def test_one_that_hangs_at_its_start_is_killed(
    beside: Beside, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that is not ready in time is killed. The worker scores until the next one is."""
    monkeypatch.setattr(remote_scoring, "_START_SECONDS", 0.3)

    async def work() -> None:
        await beside.core.start()
        beside.process.suspend()
        looking = asyncio.create_task(beside.core.observe_queue())
        assert len((await ask(beside.core, 1)).results) == 1
        await until(lambda: bool(caplog.messages))
        monkeypatch.setattr(remote_scoring, "_START_SECONDS", PATIENCE)
        await until(lambda: beside.remote.is_ready)
        looking.cancel()

    with caplog.at_level(logging.ERROR, "semsim.service"):
        asyncio.run(work())
    assert caplog.messages[0] == "the scoring process was not ready within 0.3 s, and is killed"


def test_there_is_none_beside_a_slow_network(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that takes nearly all of the time would gain nothing."""
    monkeypatch.setattr(pair_work, "_SLOW_BATCH_SECONDS", 0.0)
    asyncio.run(beside.core.start())
    assert beside.remote._process is None


def test_the_worker_scores_where_none_can_start(
    beside: Beside, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A machine without memory for another process has a service that scores, and that tries again."""
    failures = [MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory")]

    def start(module: str) -> tuple["subprocess.Popen[bytes]", socket.socket]:
        if failures:
            raise failures.pop()
        return start_child(module)

    monkeypatch.setattr(remote_scoring, "start_child", start)

    async def work() -> None:
        await beside.core.start()
        assert len((await ask(beside.core, 1)).results) == 1
        assert not beside.remote.is_ready
        await until(lambda: beside.remote.is_ready)
        await asyncio.to_thread(beside.close)

    with caplog.at_level(logging.ERROR, "semsim.service"):
        asyncio.run(work())
    assert caplog.messages == [
        f"no scoring process can start ({reason}): the worker scores until one runs"
        for reason in ("Cannot allocate memory", "MemoryError")
    ]


def test_a_request_that_fails_there_has_its_error_here(beside: Beside) -> None:
    """A request that the library refuses has the error that it has in this process; those beside it have scores."""

    async def bad() -> None:
        tiny = picture(5, 5, seed=1)
        future = asyncio.get_running_loop().create_future()
        beside.remote.take(LittleRequest([tiny], [tiny], controls=True, histogram=False, future=future))
        await future

    async def work() -> list[ScoreResponse | BaseException | None]:
        return await asyncio.gather(ask(beside.core, 1), bad(), ask(beside.core, 2), return_exceptions=True)

    first, failed, last = beside.run(work)
    assert isinstance(first, ScoreResponse)
    assert isinstance(last, ScoreResponse)
    assert isinstance(failed, ImageTooSmall)


def test_who_gives_up_is_not_sent(beside: Beside) -> None:
    """A request that waits behind others leaves the queue with its caller."""

    async def work() -> None:
        beside.process.suspend()
        tasks = [asyncio.create_task(ask(beside.core, seed, 4)) for seed in range(20)]
        await until(lambda: len(beside.remote._waiting) + len(beside.remote._asked) == len(tasks))
        waiting = len(beside.remote._waiting)
        assert waiting
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert not beside.remote._waiting, "their images take no memory"
        assert beside.remote._waiting_images == 0
        last = asyncio.create_task(ask(beside.core, 100))
        beside.process.resume()
        assert len((await last).results) == 1
        assert beside.remote._count == len(tasks) - waiting + 1

    beside.run(work)


def test_it_ends_with_its_worker(beside: Beside) -> None:
    """A worker that is killed leaves no process: its socket is closed then. A stop ends it, too."""

    async def work() -> tuple[psutil.Process, psutil.Process]:
        first = beside.process
        transport = beside.remote._transport
        assert transport is not None
        transport.abort()
        await until(lambda: not first.is_running() or first.status() == psutil.STATUS_ZOMBIE)
        await until(lambda: beside.remote.is_ready)
        return first, beside.process

    assert not any(process.is_running() for process in beside.run(work))


@pytest.mark.parametrize("change", [{"scoring_process": False}, {"lpips": True}])
def test_there_is_none_where_it_is_not_wanted(
    change: dict[str, bool], calibrated_artifact: Path, metrics: ServiceMetrics
) -> None:
    """A setting leaves it out, and LPIPS, which takes longer than what it would spare."""
    scorer = Scorer(calibrated_artifact, providers=CPU)
    if change.pop("lpips", False):
        scorer.lpips = object()  # type: ignore[assignment]  # whatever it is, it is there
    core = ScoringCore(scorer, Settings(**({"scoring_process": True} | change)), metrics)
    try:
        asyncio.run(core.start())
        assert core._work._remote is None
    finally:
        core.close()


def test_lpips_does_not_hold_up_the_event_loop(calibrated_artifact: Path, metrics: ServiceMetrics) -> None:
    """LPIPS takes longer than the network: where there is one, raw pairs are prepared in a thread, too."""
    threads = []

    class Lpips:
        """It stands for LPIPS, and notes the threads in which it runs."""

        def takes(self, height: int, width: int) -> bool:
            """Images of any size are taken."""
            return True

        def distances(self, originals: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
            """Note the thread, and return zeros."""
            threads.append(threading.current_thread())
            return np.zeros(len(originals))

    scorer = Scorer(calibrated_artifact, providers=CPU)
    scorer.lpips = Lpips()  # type: ignore[assignment]
    core = ScoringCore(scorer, Settings(providers=CPU), metrics)
    try:
        assert len(asyncio.run(ask(core, 1)).results) == 1
        assert threads
        assert threading.main_thread() not in threads
    finally:
        core.close()
