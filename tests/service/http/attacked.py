"""A service under attack: raw connections to it, its memory, and a small request beside the attack."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

import psutil

from tests.service.live import LiveService
from tests.service.memory import anonymous_bytes, settled_bytes

MOST_GROWTH = 64 * 2**20
"""The most bytes of anonymous memory that an attack may take."""
_MOST_SECONDS = 1.0
"""The most seconds that a small request beside an attack may take."""
_MOST_RATIO = 4.0
"""The ratio that they may have to those of the same request before the attack, on a machine that is busy itself."""
_TRIES = 3
_SAMPLE_SECONDS = 0.02
_PAUSE_SECONDS = 0.05
PIXELS = bytes(range(256)) * 24
"""A raw body of one pair of 32 x 32."""


@dataclass(frozen=True)
class Attacked:
    """A service that is attacked."""

    live: LiveService

    @property
    def port(self) -> int:
        """Its port of HTTP."""
        return int(self.live.url.rpartition(":")[2])

    @property
    def worker(self) -> psutil.Process:
        """The process that answers."""
        children = psutil.Process(self.live.process).children(recursive=True)
        return next(child for child in children if "_bentoml_impl.worker.service" in " ".join(child.cmdline()))

    def connect(self, seconds: float = 30) -> socket.socket:
        """A new connection, whose reads and writes wait so long."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=seconds)

    def answer(self, *pieces: bytes, seconds: float = 30) -> bytes:
        """All that comes back for some bytes until the connection ends."""
        with self.connect(seconds) as connection:
            try:
                for piece in pieces:
                    connection.sendall(piece)
            except OSError:  # it was refused in the middle
                pass
            return read_all(connection)

    def connections(self) -> int:
        """The number of connections that the worker has open on the port of HTTP."""
        each = self.worker.net_connections("tcp")
        return sum(one.laddr.port == self.port and one.status != psutil.CONN_LISTEN for one in each)

    def small_request(self) -> float:
        """The seconds that a small request takes, over a new connection, the best of three."""
        return min(self._small_request() for _ in range(_TRIES))

    def _small_request(self) -> float:
        begin = time.monotonic()
        headers = {"content-type": "application/octet-stream", "x-semsim-shape": "1,32,32"}
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("POST", "/score", PIXELS, headers)
            answer = connection.getresponse()
            text = answer.read()
        assert answer.status == 200, text
        return time.monotonic() - begin

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """A block in which memory must not grow by too much, and each small request beside it is answered in time."""
        quiet = self.small_request()
        before = most = settled_bytes(self.live.process)
        over = threading.Event()
        beside: list[float] = []
        failures: list[BaseException] = []

        def watch() -> None:
            nonlocal most
            while not over.wait(_SAMPLE_SECONDS):
                most = max(most, anonymous_bytes(self.live.process))

        def ask() -> None:
            last = False
            while not last:
                last = over.is_set()  # one more begins when the attack is over
                begin = time.monotonic()
                try:
                    self._small_request()
                except (AssertionError, OSError, HTTPException) as error:
                    failures.append(error)
                beside.append(time.monotonic() - begin)
                over.wait(_PAUSE_SECONDS)

        threads = [threading.Thread(target=work) for work in (watch, ask)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()
        growth = most - before
        print(f"memory grew by {growth / 2**20:.0f} MiB; the slowest of {len(beside)} small requests took", end=" ")
        print(f"{max(beside):.3f} s, {quiet:.3f} s before")
        assert not failures
        assert max(beside) < max(_MOST_SECONDS, _MOST_RATIO * quiet)
        assert growth < MOST_GROWTH


def read_all(connection: socket.socket) -> bytes:
    """All that comes until the connection ends, in whichever way."""
    received = []
    try:
        while piece := connection.recv(2**16):
            received.append(piece)
    except OSError:
        pass
    return b"".join(received)
