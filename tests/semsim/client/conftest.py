"""Proxies with faults before the shared service, and pairs with the scores that the library gives them here."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from semsim import PairFailure, PairScore, Scorer
from tests.encoded import picture
from tests.semsim.client.faulty import FaultyProxy, faulty
from tests.semsim.client.faulty_grpc import FaultyCalls, faulty_calls
from tests.service.live import LiveService

Outcome = PairScore | PairFailure


@dataclass(frozen=True)
class Expected:
    """Pairs, and what the local scorer says of each."""

    pairs: list[tuple[np.ndarray, np.ndarray]]
    outcomes: list[Outcome]


@pytest.fixture
def proxy(service: LiveService) -> Iterator[FaultyProxy]:
    """The proxy."""
    with faulty(service.url) as before_service:
        yield before_service


@pytest.fixture
def calls(service: LiveService) -> Iterator[FaultyCalls]:
    """The proxy of gRPC."""
    with faulty_calls(service.grpc) as before_service:
        yield before_service


@pytest.fixture(scope="session")
def expected(bundled: Scorer) -> Expected:
    """200 distinct pairs of small arrays: four chunks."""
    rng = np.random.default_rng(0)
    originals = [picture(32, 32, seed) for seed in range(200)]
    noise = [rng.normal(0, 3 + seed % 40, (32, 32, 3)) for seed in range(200)]
    pairs = [(one, np.clip(one + by, 0, 255).astype(np.uint8)) for one, by in zip(originals, noise, strict=True)]
    return Expected(pairs, bundled.score_pairs(pairs))


def same(got: list[Outcome], wanted: list[Outcome]) -> None:
    """Each outcome is the local one: the same failure, or the same numbers to 1e-6."""
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted, strict=True):
        if isinstance(other, PairFailure):
            assert one == other
            continue
        assert isinstance(one, PairScore)
        for name in ("distance", "leakage", "leakage_low", "leakage_high", "mse", "psnr", "ssim"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-6), name
        assert one.chance == pytest.approx(other.chance, abs=0.005)  # a control that is as near may count or not
        for name in ("recognizable", "resized", "uninformative", "identified"):
            assert getattr(one, name) is getattr(other, name), name
