"""Another model without an outage: a new replica comes before an old one goes, under load."""

import asyncio
import threading
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest

from semsim.protos.semsim.v1.scorer_pb2_grpc import ScorerStub
from tests.artifacts import write_artifact
from tests.encoded import encode, picture
from tests.service.grpc_transport.running import raw_batch
from tests.service.live import LiveService, base64_pair, serving

pytestmark = pytest.mark.slow

_CLIENTS = 4
# The chart's `preStopSeconds`, shorter: no client chooses the old replica any more when it is told to stop.
_PAUSE_SECONDS = 1.0


class Endpoints:
    """The replica that is ready, as a Service of Kubernetes knows it, and clients that send requests."""

    def __init__(self) -> None:
        self.ready: LiveService
        self.address = ""
        """The address of gRPC, which takes a new connection to the replica that is ready then."""
        self.versions: list[str] = []
        self.stopped = threading.Event()

    def send_http(self) -> int:
        """Send requests to whatever replica is ready, until told to stop. Returns the number of answers."""
        image = encode(picture())
        with httpx.Client(timeout=60) as client:

            def version() -> str:
                answer = client.post(f"{self.ready.url}/score", json={"pairs": [base64_pair(image, image)]})
                assert answer.status_code == 200, answer.text
                return str(answer.json()["model"]["version"])

            return self._send(version)

    def send_grpc(self) -> int:
        """Send calls over a connection that is kept as long as the replica keeps it, until told to stop."""
        images = np.stack([picture()])
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(self.address, options=options) as channel:
            stub = ScorerStub(channel)
            return self._send(lambda: str(stub.Score(raw_batch(images, images), timeout=60).model.version))

    def _send(self, version: Callable[[], str]) -> int:
        answers = 0
        while not self.stopped.is_set():
            self.versions.append(version())
            answers += 1
        return answers

    @contextmanager
    def at_one_address(self) -> Iterator[None]:
        """Listen at one address of gRPC until the block ends."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._forward, "127.0.0.1", 0), loop).result()
        self.address = "{}:{}".format(*server.sockets[0].getsockname())
        yield
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

    async def _forward(self, reader: StreamReader, writer: StreamWriter) -> None:
        host, port = self.ready.grpc.split(":")
        theirs = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_pump(reader, theirs[1]), _pump(theirs[0], writer))


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.mark.parametrize("send", [Endpoints.send_http, Endpoints.send_grpc])
def test_no_request_is_lost_while_replicas_roll(tmp_path: Path, send: Callable[[Endpoints], int]) -> None:
    """Clients that send all the time get an answer to every request, first of the old model and then of the new one."""
    homes = [tmp_path / version for version in ("1.0.0", "2.0.0")]
    for home in homes:
        home.mkdir()
        write_artifact(home / "model", version=home.name)
    old, new = (serving(home, SEMSIM_ARTIFACT=str(home / "model"), SEMSIM_DECODE_THREADS="1") for home in homes)
    endpoints = Endpoints()
    with endpoints.at_one_address(), ThreadPoolExecutor(_CLIENTS) as pool:
        try:
            with old as first:
                endpoints.ready = first
                sent = [pool.submit(send, endpoints) for _ in range(_CLIENTS)]
                second = new.__enter__()
                endpoints.ready = second
                time.sleep(_PAUSE_SECONDS)
            time.sleep(_PAUSE_SECONDS)
        finally:
            endpoints.stopped.set()
        answers = sum(each.result() for each in sent)
        new.__exit__(None, None, None)
    assert answers == len(endpoints.versions)
    assert sorted(set(endpoints.versions)) == ["1.0.0", "2.0.0"]
    assert endpoints.versions[0] == "1.0.0"
    assert endpoints.versions[-1] == "2.0.0"
