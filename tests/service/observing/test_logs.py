"""Every line of the log is one JSON object, whoever writes it, and holds no image and no value of a variable."""

import io
import json
import logging
import socket
import struct
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import structlog
from PIL import Image, TiffImagePlugin
from python_multipart.multipart import MultipartParser

from semsim.images import decode
from semsim_service.observing import logs
from tests.encoded import encode, picture
from tests.service.guarded import Guarded
from tests.service.live import CLIENT, LiveService, base64_pair, wait_until

SECRET = "PRIVATE-ORIGINAL"  # noqa: S105


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The stream of all that is logged. The process's loggers are put back after the test."""
    stream = io.StringIO()
    root = logging.getLogger()
    names = ("bentoml", "circus", "uvicorn.error", "uvicorn.access", "semsim", *logs._SILENT)
    loggers = [root, *(logging.getLogger(name) for name in names)]
    states = [(logger, list(logger.handlers), logger.propagate, logger.level) for logger in loggers]
    for hooked, name in ((logs.sys, "excepthook"), (threading, "excepthook")):
        monkeypatch.setattr(hooked, name, getattr(hooked, name))
    monkeypatch.setattr(logs.sys, "stderr", stream)
    root.setLevel(logging.DEBUG)  # as BENTOML_DEBUG does
    with warnings.catch_warnings():
        warnings.resetwarnings()  # to those of a process that is no test
        logs.configure()
        yield stream
        logging.captureWarnings(False)
    for logger, handlers, propagate, level in states:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """The objects written so far."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_when_who_and_what(written: io.StringIO) -> None:
    """Lines of the service and of BentoML have the same form. A request's id comes from the record or the context."""
    logging.getLogger("semsim.service").info("took %d\nlines", 2, extra={"request_id": "r1", "body": SECRET})
    with structlog.contextvars.bound_contextvars(request_id="r2"):
        logging.getLogger("bentoml.serve").warning("hello")
    logging.getLogger("uvicorn.error").error("uvicorn's")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    ours, theirs, uvicorn = lines(written)
    assert (ours["event"], ours["level"], ours["logger"]) == ("took 2\nlines", "info", "semsim.service")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(ours["timestamp"])).total_seconds()) < 60
    assert (ours["request_id"], theirs["request_id"]) == ("r1", "r2")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("hello", "warning", "bentoml.serve")
    assert uvicorn["logger"] == "uvicorn.error"
    assert SECRET not in written.getvalue()


def test_a_trace_is_a_field_and_shows_no_values(written: io.StringIO) -> None:
    """An exception, caught or not, in a thread or not, is one line with the places and without the variables."""

    def fail(image: str) -> None:
        raise ValueError(f"expected an image of {len(image)}")

    try:
        fail(SECRET)
    except ValueError:
        logging.getLogger("semsim.service").exception("unexpected")
    thread = threading.Thread(target=fail, args=(SECRET,))
    thread.start()
    thread.join()
    caught, uncaught = lines(written)
    assert (caught["event"], uncaught["event"], uncaught["level"]) == ("unexpected", "uncaught exception", "critical")
    for line in (caught, uncaught):
        assert "ValueError: expected an image of 16" in line["exception"]
        assert "in fail" in line["exception"]
    assert SECRET not in written.getvalue()


def jpeg_with_exif(block: bytes) -> bytes:
    """A JPEG with a TIFF structure as its EXIF."""
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG", exif=b"Exif\0\0" + block)
    return file.getvalue()


def test_nothing_of_an_images_exif_is_written(written: io.StringIO) -> None:
    """Neither the values of tags, which Pillow logs at DEBUG, nor the numbers of broken tags are written or kept."""
    exif = Image.Exif()
    exif[0x010E] = SECRET
    exif[0x0112] = 6
    decode(jpeg_with_exif(exif.tobytes().removeprefix(b"Exif\0\0")))
    tags = range(1000, 2000)
    broken = b"".join(struct.pack("<HHLL", tag, 2, 10**7, 8) for tag in tags)
    decode(jpeg_with_exif(b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + broken + bytes(4)))
    assert len(getattr(TiffImagePlugin, "__warningregistry__", ())) < len(tags)
    assert written.getvalue() == ""


def test_malformed_bodies_write_no_lines(written: io.StringIO) -> None:
    """A malformed body writes no line: it would hold a byte of the body, and clients could cause any number."""
    with pytest.raises(ValueError, match="boundary"):
        MultipartParser(b"b", {}).write(b"--bX")
    assert written.getvalue() == ""


def test_a_live_service_writes_nothing_else(service: LiveService) -> None:
    """Every line of a service, from its start on, is an object. By default a request writes none."""
    image = encode(picture())
    wait_until(lambda: b'"ready: ' in service.log)  # the supervisor tells it some time after the worker answers
    before = service.log
    assert service.post([base64_pair(image, image)]).status_code == 200
    assert service.log == before
    lines = [json.loads(line) for line in before.splitlines()]
    assert {line["logger"] for line in lines} >= {"bentoml.serve", "semsim.providers"}
    assert all({"timestamp", "level", "event"} <= line.keys() for line in lines)


def test_a_request_is_a_line_where_asked_for(guarded: Guarded) -> None:
    """A request's line says who asked, how it ended and where its time went, also of a refused request."""
    image = encode(picture())
    pairs = [base64_pair(image, image), base64_pair(image, b"none")]
    with guarded.client() as client:
        client.post("/score", json={"pairs": pairs}, headers={"x-request-id": "logged"})
        client.post("/score", json={"pairs": pairs}, headers={"x-request-id": "refused", "authorization": ""})
    lines = [json.loads(line) for line in guarded.live.log.splitlines()]
    by_id = {(line["event"], line["request_id"]): line for line in lines if "request_id" in line}
    logged, refused, login = by_id["request", "logged"], by_id["request", "refused"], by_id["failed login", "refused"]
    for line in (logged, refused, login):
        assert (line["certificate"], line["path"]) == ("caller", "/score")
        assert line["peer"].startswith("127.0.0.1:")
    assert (logged["transport"], logged["code"], logged["pairs"], logged["failed"]) == ("http", "ok", 2, 1)
    assert logged["total_ms"] >= logged["decode_ms"] + logged["queue_ms"] + logged["inference_ms"] > 0
    assert (refused["code"], refused["pairs"]) == ("unauthenticated", 0)


def test_a_request_that_no_endpoint_sees_is_a_line_too(guarded: Guarded) -> None:
    """A foreign page, an unknown path and a repeated header are told with their source; no unknown path is shown."""
    before = len(guarded.live.log)
    with guarded.client() as client:
        client.get("/model", headers={"origin": "http://evil.example"})
        client.get(f"/score/{SECRET}")
        client.get("/model", headers=[("x-semsim-shape", "1"), ("x-semsim-shape", "2")])
    lines = [json.loads(line) for line in guarded.live.log[before:].splitlines()]
    refused = [line for line in lines if line["event"] == "refused request"]
    assert [(line["code"], line["status"], line["path"]) for line in refused] == [
        ("forbidden", 403, "/model"),
        ("not_found", 404, None),
        ("invalid_request", 400, "/model"),
    ]
    for line in refused:
        assert (line["transport"], line["certificate"], line["left_out"]) == ("http", "caller", 0)
        assert line["peer"].startswith("127.0.0.1:")
    assert SECRET.encode() not in guarded.live.log[before:]


def test_a_connection_without_a_request_is_a_line_too(guarded: Guarded) -> None:
    """A head that is no HTTP, a long URL and too many headers are told with their status and their source."""
    heads = {400: b"none", 414: b"GET /%s HTTP/1.1" % (b"a" * 2**14), 431: b"GET / HTTP/1.1" + b"\r\na: b" * 200}
    before, url = len(guarded.live.log), urlsplit(guarded.live.url)
    for status, head in heads.items():
        connection = socket.create_connection((url.hostname, url.port))
        with guarded.trust().wrap_socket(connection, server_hostname=url.hostname) as client:
            client.sendall(head + b"\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 %d" % status)
    lines = [json.loads(line) for line in guarded.live.log[before:].splitlines()]
    refused = [line for line in lines if line["event"] == "refused request"]
    assert [(line["status"], line["code"], line["certificate"], line["path"]) for line in refused] == [
        (status, "invalid_request", "caller", None) for status in heads
    ]
    assert all(line["peer"].startswith("127.0.0.1:") for line in refused)


def test_the_fallback_to_cpu_is_logged_once(service: LiveService) -> None:
    """Where there is no GPU, one line of the service's log says that the CPU runs instead."""
    if CLIENT.get(f"{service.url}/model").json()["provider"]["active"] != "cpu":
        pytest.skip("needs a machine without a usable GPU")
    assert service.log.count(b"running on cpu; not in use: tensorrt") == 1
