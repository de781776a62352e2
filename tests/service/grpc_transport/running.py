"""A real gRPC server in this process, on an event loop in a thread of its own, and helpers to call it."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
import numpy as np

from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim.protos.semsim.v1.scorer_pb2_grpc import ScorerStub
from semsim.scorer import Scorer
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.core.scoring import ScoringCore
from semsim_service.grpc_transport.transport import GRPCTransport
from semsim_service.settings import Settings
from tests.service.live import free_port

PATIENCE = 20
_T = TypeVar("_T")


@dataclass
class Running:
    """A server that listens, and a channel to it."""

    transport: GRPCTransport
    core: ScoringCore
    loop: asyncio.AbstractEventLoop
    channel: grpc.Channel

    @property
    def address(self) -> str:
        """The address that the server listens on."""
        return f"127.0.0.1:{self.transport.port}"

    @property
    def scorer(self) -> ScorerStub:
        """The client of ``semsim.v1.Scorer``."""
        return ScorerStub(self.channel)

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run something on the server's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)

    def wait_for_pairs(self, count: int) -> None:
        """Wait until that many pairs are admitted and not answered."""
        deadline = time.monotonic() + PATIENCE
        while self.core._admission._pairs != count:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@contextmanager
def running(
    scorer: Scorer,
    metrics: ServiceMetrics,
    *,
    authenticate: Callable[[str | None], None] = lambda _: None,
    credentials: grpc.ChannelCredentials | None = None,
    **changes: Any,
) -> Iterator[Running]:
    """Serve ``scorer`` with changed settings until the block ends."""
    settings = Settings(**{"grpc": {"port": free_port()}} | changes)
    core = ScoringCore(scorer, settings, metrics, authenticate)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    transport = GRPCTransport()
    try:
        asyncio.run_coroutine_threadsafe(transport.start(core, settings), loop).result(PATIENCE)
        address = f"127.0.0.1:{transport.port}"
        options = [("grpc.max_send_message_length", -1)]
        make = grpc.insecure_channel if credentials is None else grpc.secure_channel
        arguments = () if credentials is None else (credentials,)
        with make(address, *arguments, options=options) as channel:
            yield Running(transport, core, loop, channel)
        asyncio.run_coroutine_threadsafe(transport.stop(5), loop).result(PATIENCE)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        core.close()


def raw_images(images: np.ndarray) -> pb.RawImages:
    """Images ``(N, H, W, 3)`` as a message."""
    count, height, width, _ = images.shape
    return pb.RawImages(pixels=images.tobytes(), count=count, height=height, width=width)


def raw_batch(originals: np.ndarray, reconstructions: np.ndarray, ids: tuple[str, ...] = ()) -> pb.ScoreRequest:
    """A request with two raw tensors."""
    batch = pb.RawBatch(originals=raw_images(originals), reconstructions=raw_images(reconstructions), ids=ids)
    return pb.ScoreRequest(batch=batch)


def counted(metrics: ServiceMetrics, code: str) -> float:
    """The number of requests over gRPC with an outcome, so far."""
    return float(metrics.requests.labels("grpc", code)._value.get())


def error_code(error: grpc.RpcError) -> str | None:
    """The stable code beside a status."""
    return dict(error.trailing_metadata()).get("semsim-error-code")  # type: ignore[attr-defined]


def metadata(call: grpc.Call) -> dict[str, str | bytes]:
    """A call's trailing metadata."""
    return dict(call.trailing_metadata())
