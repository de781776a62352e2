"""BentoML's and uvicorn's faults: each shown as it is, and gone where the service meets it."""

import asyncio
import gc
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import bentoml
import httpx
import pytest
from starlette.applications import Starlette
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from semsim_service import bentoml_faults, interpreter
from semsim_service.http import malformed
from semsim_service.interpreter import tune_collector
from tests.conftest import ROOT
from tests.service.bentoml_application import REQUESTS
from tests.service.live import LiveService
from tests.service.test_command import COMMANDS, refused

GARBAGE = b"\x16\x03\x01 this is not HTTP\r\n\r\n"


@pytest.fixture(scope="module")
def applications(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What requests leave behind in BentoML's application, as it is and as it is here."""
    home = tmp_path_factory.mktemp("applications")
    shown = subprocess.run(
        [sys.executable, "-m", "tests.service.bentoml_application", str(home)],
        cwd=ROOT,
        env=os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"},
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(shown.stdout.splitlines()[-1])
    return found


def test_no_request_leaves_a_timer(applications: dict[str, Any]) -> None:
    """BentoML's timeout keeps every request that is over for a minute; here nothing is left of one."""
    assert applications["plain"]["timers"] == applications["quiet"]["timers"] == REQUESTS
    assert applications["ours"]["timers"] == 0


def test_no_client_makes_a_series(applications: dict[str, Any]) -> None:
    """BentoML's metrics get series for each path that anybody asks for; here there are none of them."""
    assert applications["plain"]["series"] >= REQUESTS
    assert applications["ours"]["series"] == applications["quiet"]["series"] == 0


def test_nothing_runs_that_is_not_used(applications: dict[str, Any]) -> None:
    """No span, no access log: neither is even imported; what an operator asks of BentoML stays."""
    assert {"OpenTelemetryMiddleware", "AccessLogMiddleware"} <= set(applications["plain"]["middlewares"])
    assert applications["plain"]["sdk"]
    assert applications["ours"]["middlewares"] == []
    assert not applications["ours"]["sdk"]
    assert applications["limited"] == ["MaxConcurrencyMiddleware"]


class _Mended:
    """A timeout as it should be."""

    def __init__(self, app: Any, timeout: float) -> None:
        self.app, self.timeout = app, timeout

    async def __call__(self, *arguments: Any) -> None:
        timer = asyncio.get_running_loop().call_later(self.timeout, lambda: None)
        try:
            await self.app(*arguments)
        finally:
            timer.cancel()


@pytest.mark.parametrize("other", ["version", "source"])
def test_a_bentoml_that_is_not_known_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, other: str
) -> None:
    """Another version, or one whose timeout is mended: one line, nothing replaced."""
    from _bentoml_impl.server.app import ServiceAppFactory
    from bentoml._internal.server.http import traffic

    if other == "version":
        monkeypatch.setattr(bentoml, "__version__", "1.5.0")
    else:
        monkeypatch.setattr(traffic, "TimeoutMiddleware", _Mended)
    before = ServiceAppFactory.middlewares
    with caplog.at_level(logging.WARNING, "semsim.service"):
        assert not bentoml_faults.drop_middlewares()
    assert ServiceAppFactory.middlewares is before
    assert len(caplog.records) == 1


@pytest.fixture
def collector() -> Iterator[None]:
    """The collector's settings are put back afterwards."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("collector")
def test_the_collector_leaves_what_is_there_alone() -> None:
    """After the call a full collection looks at little: all that was there is frozen."""
    thresholds = gc.get_threshold()
    gc.collect()
    before = len(gc.get_objects())
    try:
        tune_collector()
        assert gc.get_freeze_count() > 0.9 * before
        assert len(gc.get_objects()) < 0.1 * before
        assert gc.get_threshold() == (50_000, 50, 50)
    finally:  # for the tests that follow in this process
        gc.unfreeze()
        gc.set_threshold(*thresholds)


@pytest.mark.parametrize("old", [False, True])
def test_garbage_does_not_pile_up(monkeypatch: pytest.MonkeyPatch, *, old: bool) -> None:
    """What nothing but a ring of references holds is given back, and so is what was in use during an earlier look."""
    monkeypatch.setattr(interpreter, "_COLLECT_SECONDS", 0.01)

    class Body:
        def __init__(self) -> None:
            self.error = self

    async def run() -> None:
        collecting = asyncio.create_task(interpreter.collect_regularly())
        in_flight = Body()
        if old:
            gc.collect(1)
        body = weakref.ref(in_flight)
        del in_flight
        async with asyncio.timeout(30):
            while body() is not None:
                await asyncio.sleep(0.01)
        collecting.cancel()

    asyncio.run(run())


def test_freed_memory_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Again and again, and not by the event loop's thread."""
    threads: list[int] = []
    monkeypatch.setattr(interpreter, "_GIVE_BACK_SECONDS", 0.01)
    monkeypatch.setattr(interpreter, "give_back_freed_memory", lambda: threads.append(threading.get_ident()))

    async def run() -> None:
        giving_back = asyncio.create_task(interpreter.give_back_regularly())
        async with asyncio.timeout(30):
            while len(threads) < 2:
                await asyncio.sleep(0.01)
        giving_back.cancel()

    asyncio.run(run())
    assert threading.get_ident() not in threads


@pytest.mark.parametrize(("network_threads", "niceness"), [(0, 0), (1, 5), (2, 0), (3, 0)])
def test_network_goes_first_where_it_leaves_a_core(
    monkeypatch: pytest.MonkeyPatch, network_threads: int, niceness: int
) -> None:
    """The thread that asks and those that it starts are less urgent; those that are there already are not."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    found: list[int] = []

    def look() -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, 0))

    def ask() -> None:
        interpreter.let_network_go_first(network_threads)
        look()
        started = threading.Thread(target=look)
        started.start()
        started.join()

    look()
    asking = threading.Thread(target=ask)
    asking.start()
    asking.join()
    look()
    before, asked, its_own, after = found
    assert (asked - before, its_own - before, after - before) == (niceness, niceness, 0)


async def _answer_of_uvicorn() -> bytes:
    """What uvicorn, without an application, answers to garbage."""
    config, state = Config(Starlette(), log_config=None), ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: HttpToolsProtocol(config, state, {}), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(GARBAGE)
        answer = await reader.read()
        writer.close()
    return answer


def test_garbage_is_answered_in_the_envelope(service: LiveService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uvicorn's own answer is plain text; the service's is its envelope, and the connection ends."""
    assert b"content-type: text/plain" in asyncio.run(_answer_of_uvicorn())
    original = HttpToolsProtocol.send_400_response
    with monkeypatch.context() as context:
        context.setattr(HttpToolsProtocol, "send_400_response", original)
        assert malformed.answer_malformed_in_envelope()
        assert b"content-type: application/json" in asyncio.run(_answer_of_uvicorn())
    port = int(service.url.rpartition(":")[2])
    logged = service.log
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(GARBAGE)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert json.loads(body)["error"]["code"] == "invalid_request"
    assert f"content-length: {len(body)}".encode() in head
    assert service.log == logged


def test_a_uvicorn_that_is_not_known_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that answers in another way: one line, nothing replaced."""

    def send_400_response(self: object, msg: str) -> None:
        """Another way."""

    monkeypatch.setattr(HttpToolsProtocol, "send_400_response", send_400_response)
    with caplog.at_level(logging.WARNING, "semsim.service"):
        assert not malformed.answer_malformed_in_envelope()
    assert HttpToolsProtocol.send_400_response is send_400_response
    assert len(caplog.records) == 1


def test_a_second_server_does_not_wipe_the_firsts_metrics(service: LiveService, applications: dict[str, Any]) -> None:
    """BentoML empties the metrics of its home at each start; a second server with the same home is refused first."""
    assert applications["wiped"]
    before = httpx.get(f"{service.url}/metrics").text
    assert "expected a BENTOML_HOME of its own for each server" in refused(service.home, command=COMMANDS[1])
    assert httpx.get(f"{service.url}/metrics").text.count("\n") >= before.count("\n")
    port = service.url.rpartition(":")[2]
    assert f"got 127.0.0.1 port {port}: Address already in use" in refused(service.home, "--port", port)
