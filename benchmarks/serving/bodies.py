"""Requests as the bytes that go over the wire, made before anything is timed."""

import base64
import json
from collections.abc import Iterator

from benchmarks.serving.cells import Format
from benchmarks.serving.pairs import Pairs

_BOUNDARY = "7f1c2a9d"


def requests(pairs: Pairs, size: int, form: Format, path: str) -> list[bytes]:
    """All of ``pairs``, ``size`` a request: whole HTTP requests, or gRPC messages."""
    match form:
        case Format.JSON:
            encoded = pairs.encoded()
            bodies = [_json(encoded[part]) for part in _parts(pairs, size)]
            return [_http(path, "application/json", body) for body in bodies]
        case Format.RAW:
            shape = (size, *pairs.originals.shape[1:3])
            headers = f"X-Semsim-Shape: {','.join(map(str, shape))}\r\n"
            return [_http(path, "application/octet-stream", body, headers) for body in _raw(pairs, size)]
        case Format.FORM:
            kind = f"multipart/form-data; boundary={_BOUNDARY}"
            return [_http(path, kind, _form(body, pairs, size)) for body in _raw(pairs, size)]
        case Format.GRPC:
            return [_message(pairs, part) for part in _parts(pairs, size)]


def _parts(pairs: Pairs, size: int) -> Iterator[slice]:
    for start in range(0, len(pairs.originals) - size + 1, size):
        yield slice(start, start + size)


def _http(path: str, content_type: str, body: bytes, headers: str = "") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n"
        f"{headers}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _json(encoded: list[tuple[bytes, bytes]]) -> bytes:
    pairs = [
        {"original": base64.b64encode(x).decode(), "reconstruction": base64.b64encode(y).decode()} for x, y in encoded
    ]
    return json.dumps({"pairs": pairs}).encode()


def _raw(pairs: Pairs, size: int) -> Iterator[bytes]:
    for part in _parts(pairs, size):
        yield pairs.originals[part].tobytes() + pairs.reconstructions[part].tobytes()


def _form(body: bytes, pairs: Pairs, size: int) -> bytes:
    shape = ",".join(map(str, (size, *pairs.originals.shape[1:3])))
    disposition = "Content-Disposition: form-data; name="
    return (
        (
            f'--{_BOUNDARY}\r\n{disposition}"shape"\r\n\r\n{shape}\r\n'
            f'--{_BOUNDARY}\r\n{disposition}"images"; filename="images"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        + body
        + f"\r\n--{_BOUNDARY}--\r\n".encode()
    )


def _message(pairs: Pairs, part: slice) -> bytes:
    from semsim_service.protos.semsim.v1 import scorer_pb2 as pb

    originals, reconstructions = (
        pb.RawImages(pixels=some.tobytes(), count=len(some), height=some.shape[1], width=some.shape[2])
        for some in (pairs.originals[part], pairs.reconstructions[part])
    )
    return pb.ScoreRequest(batch=pb.RawBatch(originals=originals, reconstructions=reconstructions)).SerializeToString()
