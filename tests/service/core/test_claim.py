"""The claim of a request is enough to refuse it."""

import asyncio

import pytest

from semsim import Scorer
from semsim.exceptions import Overloaded
from semsim_service.core.call import Transport
from semsim_service.core.claim import Claim
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.core.received import ReceivedPair, ReceivedRequest
from semsim_service.core.scoring import ScoringCore
from semsim_service.settings import Settings

_TWO = ReceivedRequest([ReceivedPair(None, b"", b"")] * 2)


def test_a_full_queue_refuses_by_the_claim(small_scorer: Scorer, metrics: ServiceMetrics) -> None:
    """A request whose pairs have no room is not read. One that claims fewer, or too many, is read and then refused."""
    settings = Settings.model_validate({"queue": {"pairs": 3}, "limits": {"pairs": 3}})
    core = ScoringCore(small_scorer, settings, metrics)
    read = []

    async def ask(claim: Claim) -> None:
        async with (
            core.request(Transport.HTTP, request_id="first") as first,
            core.request(Transport.HTTP, request_id="second") as second,
        ):
            first.reserve_pairs(2)
            await core.score(second, lambda: read.append(claim) or _TWO, claim)  # type: ignore[func-returns-value]

    for claim in (Claim(2), Claim(3), Claim(2, 8)):
        with pytest.raises(Overloaded):
            asyncio.run(ask(claim))
    assert not read
    less_than_it_has, more_than_allowed, nothing = Claim(1), Claim(1000), Claim(0)
    for claim in (less_than_it_has, more_than_allowed, nothing):
        with pytest.raises(Overloaded):
            asyncio.run(ask(claim))
    assert read == [less_than_it_has, more_than_allowed, nothing]
    core.close()
