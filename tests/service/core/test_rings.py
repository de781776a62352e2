"""Refused requests leave no ring of references that holds their bodies until the collector comes."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import grpc
import pytest
from starlette.testclient import TestClient

from semsim import Scorer
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.core.scoring import ScoringCore
from semsim_service.http.app import HTTPTransport
from semsim_service.settings import Settings
from tests.encoded import encode, picture
from tests.service.grpc_transport.running import running
from tests.service.live import base64_pair

pytestmark = pytest.mark.slow

LARGE = 2**20
NOISE = b"\x89PNG\r\n\x1a\n" + bytes(LARGE)


@contextmanager
def without_collector() -> Iterator[list[object]]:
    """The list of objects of the block that only the collector would have freed. Within the block it frees nothing."""
    garbage: list[object] = []
    gc.collect()
    gc.disable()
    try:
        yield garbage
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        garbage += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def large_bytes(objects: list[object]) -> list[str]:
    """The objects that hold a body."""
    held = []
    for each in objects:
        if type(each).__module__.startswith("httpx"):  # the client's own
            continue
        inside = list(each.f_locals.values()) if isinstance(each, FrameType) else gc.get_referents(each)
        if any(isinstance(one, bytes | bytearray | str) and len(one) >= LARGE for one in inside):
            held.append(repr(type(each)) + (each.f_code.co_qualname if isinstance(each, FrameType) else ""))
    return held


def _post(content: bytes, kind: str) -> Callable[[TestClient], object]:
    return lambda client: client.post("/score", content=content, headers={"content-type": kind})


@pytest.mark.parametrize(
    "request_", [
        _post(b"x" * LARGE, "application/json"),
        _post(b'{"pairs": [' + b"1" * LARGE + b"]}", "application/json"),
        lambda client: client.post("/score", json={"pairs": [base64_pair(NOISE, encode(picture()))]}),
    ],
    ids=["not json", "not pairs", "not an image"],
)  # fmt: skip
def test_over_http(small_artifact: Path, metrics: ServiceMetrics, request_: Callable[[TestClient], object]) -> None:
    """Neither a refused request nor a refused image leaves a ring."""
    transport = HTTPTransport()
    transport.core = ScoringCore(Scorer(small_artifact), Settings(), metrics)
    with TestClient(transport.app) as client:
        request_(client)  # what is made once
        with without_collector() as garbage:
            request_(client)
        held = large_bytes(garbage)
    transport.core.close()
    assert not held


def test_over_grpc(small_artifact: Path, metrics: ServiceMetrics) -> None:
    """Neither bytes that are no message nor a message over the limit leave a ring."""
    with running(Scorer(small_artifact), metrics, limits={"body_bytes": 2 * LARGE}) as live:
        call = live.channel.unary_unary("/semsim.v1.Scorer/Score")

        def ask() -> None:
            for message in (b"\xff" * LARGE, b"\x0a" * (2 * LARGE + 1)):
                with suppress(grpc.RpcError):
                    call(message)

        ask()
        with without_collector() as garbage:
            ask()
        held = large_bytes(garbage)
    assert not held
