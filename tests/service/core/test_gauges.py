"""The gauges of the queue tell at once what histograms tell when a request is over."""

import asyncio
import threading
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from semsim import Scorer
from semsim.pairs import PairReader
from semsim_service.core.call import Transport
from semsim_service.core.claim import Claim
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.core.received import ReceivedPair, ReceivedRequest
from semsim_service.core.scoring import ScoringCore
from semsim_service.settings import Settings
from tests.encoded import encode, picture

PATIENCE = 60


def gauge(name: str) -> float:
    """The value of a gauge."""
    return REGISTRY.get_sample_value(name) or 0.0


def test_a_wait_shows_while_it_lasts(
    small_artifact: Path, metrics: ServiceMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one request keeps the decoding thread busy, the wait of another one rises, and ends with it."""
    go, work = threading.Event(), PairReader.read_pair
    monkeypatch.setattr(PairReader, "read_pair", lambda *given, **named: go.wait(PATIENCE) and work(*given, **named))
    core = ScoringCore(Scorer(small_artifact), Settings(decode_threads=1), metrics)
    image = encode(picture())
    received = ReceivedRequest([ReceivedPair(None, image, image)])

    async def ask() -> None:
        async with core.request(Transport.HTTP, request_id="x") as call:
            await core.score(call, lambda: received, Claim(1))

    async def waits(least: float) -> bool:
        for _ in range(PATIENCE * 10):
            if gauge("semsim_queue_oldest_seconds") >= least:
                return True
            await asyncio.sleep(0.1)
        return False

    async def flood() -> None:
        observing = asyncio.create_task(core.observe_queue())
        asked = [asyncio.create_task(ask()) for _ in range(2)]
        assert await waits(0.3)
        assert gauge("semsim_decoders_busy") == 1
        assert await waits(0.6)
        go.set()
        await asyncio.gather(*asked)
        await asyncio.sleep(0.6)
        assert gauge("semsim_queue_oldest_seconds") == gauge("semsim_decoders_busy") == 0
        observing.cancel()

    try:
        asyncio.run(flood())
        assert gauge("semsim_decoders") == 3
    finally:
        go.set()
        core.close()
