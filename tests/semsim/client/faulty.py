"""A proxy before a service that has the faults of networks, proxies and services that are overloaded or replaced."""

import json
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import urlsplit

import httpx

UPSTREAM = httpx.Client(timeout=60)


@dataclass(frozen=True)
class Request:
    """A request that came, with the time of its coming."""

    method: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Reply:
    """An answer, and how it is sent."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    sent: float = 1.0
    """The share of the body that is sent before the connection is closed."""


Forward = Callable[[], Reply]
"""A function that asks the service."""
Fault = Callable[[Request, Forward], Reply | None]
"""A function that answers a request; without a reply the connection is dropped."""


def dropped(_: Request, __: Forward) -> None:
    """The connection is closed before the service hears of the request."""


def lost(_: Request, forward: Forward) -> None:
    """The service scores the pairs, and the answer is lost."""
    forward()


def truncated(_: Request, forward: Forward) -> Reply:
    """The connection is closed in the middle of the answer."""
    whole = forward()
    return Reply(whole.status, whole.body, sent=0.5)


def slow(seconds: float) -> Fault:
    """The answer is late."""

    def late(_: Request, forward: Forward) -> Reply:
        time.sleep(seconds)
        return forward()

    return late


def refused(status: int, code: str | None = None, **headers: str) -> Fault:
    """An answer of a status, in the service's envelope where there is a code, else as a proxy's page."""
    body = b"<html>no</html>" if code is None else json.dumps({"error": {"code": code, "message": "no"}}).encode()
    return lambda *_: Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def altered(change: Callable[[Any], Any]) -> Fault:
    """The service's answer, changed."""

    def other(_: Request, forward: Forward) -> Reply:
        whole = forward()
        return Reply(whole.status, json.dumps(change(json.loads(whole.body))).encode())

    return other


class FaultyProxy:
    """Passes requests on. The next requests for scores meet ``faults`` in turn, and all later ones ``always``."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.faults: deque[Fault | None] = deque()
        self.always: Fault | None = None
        self.of_model: Fault | None = None
        self.requests: list[Request] = []
        self.url = ""
        self._lock = Lock()

    def answer(self, path: str, request: Request) -> Reply | None:
        """The reply to a request, or None where its connection is to be dropped."""

        def forward() -> Reply:
            headers = {name: value for name, value in request.headers.items() if name.startswith(("content-t", "x-"))}
            response = UPSTREAM.request(request.method, self.upstream + path, content=request.body, headers=headers)
            return Reply(response.status_code, response.content)

        with self._lock:
            if path == "/score":
                self.requests.append(request)
                fault = self.faults.popleft() if self.faults else self.always
            else:
                fault = self.of_model
        return forward() if fault is None else fault(request, forward)


@contextmanager
def faulty(upstream: str) -> Iterator[FaultyProxy]:
    """A proxy that runs until the block ends."""
    proxy = FaultyProxy(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = proxy.answer(self.path, Request(self.command, headers, body))
            if reply is None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(reply.status)
            for name, value in {"content-length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body[: int(reply.sent * len(reply.body))])
            if reply.sent < 1:
                self.close_connection = True

        do_GET = do_POST = _serve  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Print nothing of clients that went."""

    assert urlsplit(upstream).scheme == "http"
    with Server(("127.0.0.1", 0), Handler) as server:
        proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()
