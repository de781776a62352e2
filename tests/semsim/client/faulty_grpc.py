"""A gRPC proxy before a service, and a relay before any port, with the faults of networks and overloaded services."""

import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any, NoReturn

import grpc

from semsim.protos.semsim.v1 import scorer_pb2 as pb

Ask = Callable[[], bytes]
"""A function that asks the service."""
CallFault = Callable[[bytes, Ask, "grpc.ServicerContext"], bytes]
"""A function that answers a message, or ends its call."""
_MOST = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@dataclass(frozen=True)
class Message:
    """A message that came, with its metadata and the time of its coming."""

    content: bytes
    metadata: dict[str, str | bytes]
    at: float = field(default_factory=time.monotonic)

    @property
    def request(self) -> pb.ScoreRequest:
        """The request that the message holds."""
        return pb.ScoreRequest.FromString(self.content)


def ends(status: grpc.StatusCode, code: str | None = None, details: str = "no", **metadata: str) -> CallFault:
    """The call ends with a status, and with the service's code where there is one."""
    trailing = {"semsim-error-code": code} if code is not None else {}
    trailing |= {name.replace("_", "-"): value for name, value in metadata.items()}

    def end(_: bytes, __: Ask, context: grpc.ServicerContext) -> NoReturn:
        context.set_trailing_metadata(tuple(trailing.items()))
        context.abort(status, details)

    return end


def answer_lost(_: bytes, ask: Ask, context: grpc.ServicerContext) -> NoReturn:
    """The service scores the pairs, and the answer is lost."""
    ask()
    context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")


def late(seconds: float) -> CallFault:
    """The answer is late."""

    def wait(_: bytes, ask: Ask, __: grpc.ServicerContext) -> bytes:
        time.sleep(seconds)
        return ask()

    return wait


def answers(change: Callable[[pb.ScoreResponse], Any]) -> CallFault:
    """The service's answer, changed in place."""

    def other(_: bytes, ask: Ask, __: grpc.ServicerContext) -> bytes:
        response = pb.ScoreResponse.FromString(ask())
        change(response)
        return response.SerializeToString()

    return other


class FaultyCalls(grpc.GenericRpcHandler):
    """Passes calls on. The next calls of ``Score`` meet ``faults`` in turn, and all later ones ``always``."""

    def __init__(self, upstream: grpc.Channel) -> None:
        self._upstream = upstream
        self.faults: deque[CallFault | None] = deque()
        self.always: CallFault | None = None
        self.messages: list[Message] = []
        self.url = ""
        self._lock = Lock()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """The handler of any method."""
        method = details.method
        metadata = dict(details.invocation_metadata)
        forward = self._upstream.unary_unary(method)

        def handle(content: bytes, context: grpc.ServicerContext) -> bytes:
            with self._lock:
                fault = None
                if method.endswith("/Score"):
                    self.messages.append(Message(content, metadata))
                    fault = self.faults.popleft() if self.faults else self.always

            def ask() -> bytes:
                return forward(content, timeout=60)

            return ask() if fault is None else fault(content, ask, context)

        return grpc.unary_unary_rpc_method_handler(handle)


@contextmanager
def faulty_calls(upstream: str) -> Iterator[FaultyCalls]:
    """A proxy that runs until the block ends."""
    with grpc.insecure_channel(upstream, options=_MOST) as channel, ThreadPoolExecutor(8) as threads:
        proxy = FaultyCalls(channel)
        server = grpc.server(threads, handlers=[proxy], options=_MOST)
        proxy.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        yield proxy
        server.stop(None).wait()


class Relay:
    """Carries bytes to a port and back. A connection is cut after each of ``cuts``, numbers of bytes of its answers."""

    def __init__(self, upstream: str, cuts: list[int], port: int = 0) -> None:
        host, _, served = upstream.rpartition(":")
        self._upstream = host, int(served)
        self.cuts = deque(cuts)
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Cut all connections, and take no more."""
        self._listener.shutdown(socket.SHUT_RDWR)  # which wakes the thread that accepts
        self._listener.close()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._upstream)
                self._sockets += client, server
                for source, target, cuts in ((client, server, deque[int]()), (server, client, self.cuts)):
                    Thread(target=self._carry, args=(source, target, cuts), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, cuts: deque[int]) -> None:
        left = cuts.popleft() if cuts else None
        with suppress(OSError):
            while left != 0 and (data := source.recv(512)):
                if left is not None:
                    data = data[:left]
                    left -= len(data)
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
