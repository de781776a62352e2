"""A lone caller's pair is scored without another thread; whoever has company waits for a turn."""

import asyncio
import threading
from pathlib import Path

import pytest

from semsim import Scorer
from semsim_service.core import batcher, company, decoding
from semsim_service.core.call import Source, Transport
from semsim_service.core.claim import Claim
from semsim_service.core.company import Company
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.core.received import ReceivedPair, ReceivedRequest
from semsim_service.core.schemas import ScoredPair
from semsim_service.core.scoring import ScoringCore
from semsim_service.settings import Settings
from tests.encoded import encode, picture


def test_a_caller_is_alone_after_a_moment_without_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another connection, an unknown one, or a second open request is company for a moment."""
    now = 100.0
    monkeypatch.setattr(company.time, "monotonic", lambda: now)  # type: ignore[attr-defined]
    one = Company()
    for caller, others in (("a:1", 0), ("a:1", 1), ("a:2", 0), (None, 0)):
        one.note(caller, others)
        assert not one.is_alone
        now += company.COMPANY_SECONDS
        assert one.is_alone
        one.note("a:1", 0)
        now += company.COMPANY_SECONDS
        one.note("a:1", 0)
        assert one.is_alone


def test_only_a_lone_callers_tiny_pair_is_scored_in_the_event_loop(
    small_artifact: Path, metrics: ServiceMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lone caller's answer is that of the threads; larger pictures, hidden pairs and company go to the threads."""
    monkeypatch.setattr(company, "COMPANY_SECONDS", 0.0)
    monkeypatch.setattr(batcher, "_AT_ONCE_SECONDS", 60.0)
    monkeypatch.setattr(decoding, "_AT_ONCE_SECONDS", 60.0)
    scorer, threads = Scorer(small_artifact), list[str]()
    run = scorer.embed_prepared
    monkeypatch.setattr(
        scorer, "embed_prepared", lambda images: (threads.append(threading.current_thread().name), run(images))[1]
    )
    core = ScoringCore(scorer, Settings(), metrics)
    tiny = [(picture(32, 32, seed=1), picture(32, 32, seed=2))]
    files = [tuple(map(encode, tiny[0]))]
    large = [(encode(picture(200, 200, seed=1)), encode(picture(32, 32, seed=2)))]

    async def ask(pairs: list[tuple[object, object]], claim: Claim) -> ScoredPair:
        received = ReceivedRequest([ReceivedPair(None, *pair) for pair in pairs])  # type: ignore[arg-type]
        async with core.request(Transport.HTTP, request_id="r", source=lambda: Source("a:1")) as call:
            answer = await core.score(call, lambda: received, claim)
        assert len(answer.results) == len(pairs)
        assert isinstance(answer.results[0], ScoredPair)
        return answer.results[0]

    async def run_all() -> None:
        slow = await ask(files, Claim())
        assert threads == ["batcher"], "nobody knows yet how fast the network is"
        await asyncio.sleep(0.3)  # the batcher's thread lets go of the network
        assert [await ask(files, Claim()), await ask(tiny, Claim(1, 2 * 32**2))] == [slow, slow]
        assert threads[1:] == ["MainThread"] * 2
        await ask(large, Claim())
        monkeypatch.setattr(decoding, "_AT_ONCE_SECONDS", 0.0)
        await ask(files * 3, Claim())
        assert threads[3:] == ["batcher"] * 2

    asyncio.run(run_all())
    core.close()
