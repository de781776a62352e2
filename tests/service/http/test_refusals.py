"""Requests that HTTP refuses get a status, a message and a code, always in the envelope."""

import gzip
import socket
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from tests.encoded import encode, picture
from tests.service.live import CLIENT, LiveService, base64_pair

IMAGE = encode(picture())
JSON = {"content-type": "application/json"}


def assert_envelope(answer: httpx.Response, status: int, code: str) -> str:
    """The answer is the envelope with that status and code. Returns its message."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["code"] == code
    return str(body["error"]["message"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"pairs": []}',
        b'{"pairs": {}}',
        b'{"pairs": [{}], "extra": 1}',
        b'{"pear": []}',
        b"\xff\xfe",
        b'{"pairs": [' + b"[" * 5000,
    ],
)
def test_json_of_another_shape_is_400(service: LiveService, body: bytes) -> None:
    """A body that is not a request is refused as a whole, with what was expected."""
    answer = CLIENT.post(f"{service.url}/score", content=body, headers=JSON)
    assert "expected" in assert_envelope(answer, 400, "invalid_request")


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "image/png"])
def test_other_content_types_are_415(service: LiveService, content_type: str | None) -> None:
    """No other content type than JSON, multipart and raw bytes is taken."""
    headers = {} if content_type is None else {"content-type": content_type}
    answer = CLIENT.post(f"{service.url}/score", content=b"x", headers=headers)
    assert_envelope(answer, 415, "unsupported_media_type")


def test_a_content_type_that_is_no_text_is_415(service: LiveService) -> None:
    """Bytes that are not UTF-8 in a header get the whole envelope, and no trace in the log."""
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            b"POST /score HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Content-Type: \xff\xfe\r\nContent-Length: 0\r\n\r\n"
        )
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 415")
    assert b'"unsupported_media_type"' in answer
    assert b"Traceback" not in service.log


@pytest.mark.parametrize(
    "files",
    [
        [("original", ("o", IMAGE))],
        [("reconstruction", ("r", IMAGE))],
        [("original", ("o", IMAGE))] * 2 + [("reconstruction", ("r", IMAGE))] * 3,
        [("original", ("o", IMAGE)), ("reconstruction", ("r", IMAGE)), ("id", (None, "a")), ("id", (None, "b"))],
        [("original", ("o", IMAGE)), ("reconstruction", ("r", IMAGE)), ("id", ("file", b"a"))],
        [("original", ("o", IMAGE)), ("reconstruction", ("r", IMAGE)), ("id", (None, "a" * 257))],
        [("original", ("o", IMAGE)), ("reconstruction", (None, "text"))],
        [("original", ("o", IMAGE)), ("reconstruction", ("r", IMAGE)), ("other", ("x", b"x"))],
    ],
)
def test_multipart_that_does_not_fit_is_400(service: LiveService, files: list[tuple[str, object]]) -> None:
    """Missing, surplus, unequal and unknown parts are refused with what was expected."""
    answer = CLIENT.post(f"{service.url}/score", files=files)  # type: ignore[arg-type]
    assert "expected" in assert_envelope(answer, 400, "invalid_request")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b"no boundary in here"),
        ("multipart/form-data; boundary=x", b"--x\r\nno header"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nvalue\r\n--x--\r\n"),
        ("multipart/form-data; boundary=" + "x" * 300, b"--x--"),
    ],
)
def test_broken_multipart_is_400(service: LiveService, content_type: str, body: bytes) -> None:
    """A body that is no multipart is refused, not an internal error."""
    answer = CLIENT.post(f"{service.url}/score", content=body, headers={"content-type": content_type})
    assert_envelope(answer, 400, "invalid_request")


def test_unknown_paths_and_methods(service: LiveService) -> None:
    """BentoML's own 404 and 405 wear the envelope, too."""
    assert_envelope(CLIENT.get(f"{service.url}/nothing"), 404, "not_found")
    assert_envelope(CLIENT.get(f"{service.url}/score"), 405, "method_not_allowed")
    assert_envelope(CLIENT.post(f"{service.url}/model"), 405, "method_not_allowed")
    assert_envelope(CLIENT.post(f"{service.url}/livez"), 405, "method_not_allowed")
    head = CLIENT.head(f"{service.url}/nothing")
    assert (head.status_code, head.content) == (404, b"")


def test_too_many_pairs_are_refused_whole(limited_service: LiveService) -> None:
    """One pair over the limit refuses the request, in JSON and multipart, before decoding."""
    for count in (4, 40):
        answer = limited_service.post([base64_pair(b"", b"")] * count)
        assert "at most 3 pairs" in assert_envelope(answer, 413, "too_many_pairs")
    files = [("original", ("o", b"x"))] + [("reconstruction", ("r", b"x"))] * 4
    answer = CLIENT.post(f"{limited_service.url}/score", files=files)
    assert "at most 3 pairs" in assert_envelope(answer, 413, "too_many_pairs")


@pytest.mark.parametrize("count", [257, 600, 2000])
def test_many_multipart_pairs_are_told_as_such(service: LiveService, count: int) -> None:
    """However many files over the limit, the answer is too_many_pairs."""
    for files in (
        [("original", ("o", b"x"))] + [("reconstruction", ("r", b"x"))] * count,
        [("original", ("o", b"x")), ("reconstruction", ("r", b"x"))] * count,
    ):
        answer = CLIENT.post(f"{service.url}/score", files=files)
        assert "at most 256 pairs" in assert_envelope(answer, 413, "too_many_pairs")


def test_an_image_without_a_filename_is_told_as_such(service: LiveService) -> None:
    """A whole image in a plain field is refused with what was expected, however large."""
    image = encode(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    answer = CLIENT.post(f"{service.url}/score", files=[("original", (None, image)), ("reconstruction", ("r", image))])
    assert "expected original as a file part, with a filename" in assert_envelope(answer, 400, "invalid_request")


@pytest.mark.parametrize("encoding", ["gzip", "br", "Deflate"])
def test_a_compressed_body_is_415(service: LiveService, encoding: str) -> None:
    """A Content-Encoding is refused by its name, not as broken JSON."""
    body = gzip.compress(b'{"pairs": []}')
    answer = CLIENT.post(f"{service.url}/score", content=body, headers=JSON | {"content-encoding": encoding})
    assert "Content-Encoding" in assert_envelope(answer, 415, "unsupported_media_type")


def test_a_large_body_is_refused_announced_or_not(limited_service: LiveService) -> None:
    """A body over the limit is refused by its length, and a chunked one when it passes the limit."""
    body = b"x" * 50_000

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    for content in (body, chunks()):
        answer = CLIENT.post(f"{limited_service.url}/score", content=content, headers=JSON)
        assert "at most 40000 bytes" in assert_envelope(answer, 413, "body_too_large")


def test_an_image_over_a_limit_fails_alone(limited_service: LiveService) -> None:
    """Bytes and pixels over the limits of one image cost its own pair only."""
    noise = encode(np.random.default_rng(0).integers(0, 256, (31, 33, 3), dtype=np.uint8))
    flat = encode(np.zeros((33, 33, 3), dtype=np.uint8))
    heavy = b"\x89PNG\r\n\x1a\n" + bytes(5000)
    body = limited_service.post([base64_pair(noise, noise), base64_pair(heavy, noise), base64_pair(noise, flat)]).json()
    codes = [result.get("error", {}).get("code") for result in body["results"]]
    assert codes == [None, "too_many_bytes", "too_many_pixels"]


def test_a_request_of_many_pixels_stops_decoding(limited_service: LiveService) -> None:
    """Once the images together hold too many pixels, the rest of the request fails."""
    images = [encode(picture(32, 32, seed=seed)) for seed in range(4)]
    pairs = [base64_pair(images[0], images[1]), base64_pair(images[0], images[0]), base64_pair(images[2], images[3])]
    body = limited_service.post(pairs).json()
    codes = [result.get("error", {}).get("code") for result in body["results"]]
    assert codes == [None, None, "too_many_pixels"]
    assert "together" in body["results"][2]["error"]["message"]


def test_a_cut_or_foreign_multipart_body_is_400(service: LiveService) -> None:
    """A body that is cut, or two of them, would lose a pair, and another charset would break ids: all are refused."""
    part = b'--b\r\nContent-Disposition: form-data; name="%s"; filename="f"\r\n\r\n%s\r\n'
    whole = part % (b"original", IMAGE) + part % (b"reconstruction", IMAGE)
    kind = "multipart/form-data; boundary=b"
    ended = whole + b"--b--\r\n"
    foreign = [f"multipart/form-data; charset={name}; boundary=b" for name in ("unicode_escape", "undefined", "utf-16")]
    foreign.append("multipart/form-data; charset=undefined; boundary=utf-8")
    for body, content_type in ((whole, kind), (ended * 2, kind), *((ended, content_type) for content_type in foreign)):
        answer = CLIENT.post(f"{service.url}/score", content=body, headers={"content-type": content_type})
        assert_envelope(answer, 400, "invalid_request")


@pytest.mark.parametrize("parameters", ["boundary=charset1", 'charset="UTF-8"; boundary=charset1'])
def test_multipart_in_utf_8_is_taken_whatever_its_boundary(service: LiveService, parameters: str) -> None:
    """A boundary with the word "charset" in it names no charset, and UTF-8 is not another one."""
    part = b'--charset1\r\nContent-Disposition: form-data; name="%s"; filename="f"\r\n\r\n%s\r\n'
    body = part % (b"original", IMAGE) + part % (b"reconstruction", IMAGE) + b"--charset1--\r\n"
    headers = {"content-type": f"multipart/form-data; {parameters}"}
    assert CLIENT.post(f"{service.url}/score", content=body, headers=headers).status_code == 200


def test_millions_of_pairs_are_refused_before_they_are_validated(service: LiveService) -> None:
    """A small body of very many pairs is refused by its commas alone."""
    body = b'{"pairs":[' + b",".join([b"{}"] * 1_000_000) + b"]}"
    assert_envelope(CLIENT.post(f"{service.url}/score", content=body, headers=JSON), 413, "too_many_pairs")
