"""Questions as HTTP requests, and HTTP answers as rows."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.harness.questions import Form, Image, Question
from benchmarks.harness.rows import Row, Unreadable, check_summary
from semsim.summary import Summary

JSON_TYPE = "application/json"
OCTETS_TYPE = "application/octet-stream"
BOUNDARY = b"semsim-endurance-7f3a"
MULTIPART_TYPE = f"multipart/form-data; boundary={BOUNDARY.decode()}"


def request_bytes(headers: Mapping[str, str], body: bytes, *, method: str = "POST", path: str = "/score") -> bytes:
    """One HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: semsim", *(f"{name}: {value}" for name, value in headers.items())]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def http_request(question: Question) -> bytes:
    """The request of a question; its id goes along and must come back."""
    headers, body = http_parts(question)
    return request_bytes({"X-Request-Id": question.name, **headers}, body)


def http_parts(question: Question) -> tuple[dict[str, str], bytes]:
    """The headers that say what the body is, and the body."""
    if question.form is Form.JSON:
        return {"Content-Type": JSON_TYPE}, json.dumps(json_body(question)).encode()
    if question.form is Form.MULTIPART:
        return {"Content-Type": MULTIPART_TYPE}, multipart_body(question)
    shape = ",".join(map(str, (len(question.reconstructions), *np.asarray(question.reconstructions[0]).shape[:2])))
    body = pixels(question.originals) + pixels(question.reconstructions)
    if question.form is Form.PIXEL_FORM:
        parts = _part('name="shape"', shape.encode()) + _part('name="images"; filename="images"', body)
        return {"Content-Type": MULTIPART_TYPE}, parts + b"--" + BOUNDARY + b"--\r\n"
    shared = {"X-Semsim-Originals": "1"} if question.shares_original else {}
    return {"Content-Type": OCTETS_TYPE, "X-Semsim-Shape": shape, **shared}, body


def json_body(question: Question) -> dict[str, Any]:
    """The JSON document of a question with encoded images."""
    pairs = []
    for pair_id, images in zip(question.ids, question.pairs, strict=True):
        original, reconstruction = (base64.b64encode(image).decode() for image in images)
        named = {} if pair_id is None else {"id": pair_id}
        pairs.append({**named, "original": original, "reconstruction": reconstruction})
    return {"pairs": pairs}


def multipart_body(question: Question) -> bytes:
    """The form of a question with encoded images."""
    parts = [_part(f'name="original"; filename="o{i}"', one) for i, one in enumerate(question.originals)]
    parts += [_part(f'name="reconstruction"; filename="r{i}"', one) for i, one in enumerate(question.reconstructions)]
    parts += [_part('name="id"', str(pair_id).encode()) for pair_id in question.ids]
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


def _part(disposition: str, content: Image) -> bytes:
    head = f"Content-Disposition: form-data; {disposition}\r\n\r\n".encode()
    return b"--" + BOUNDARY + b"\r\n" + head + bytes(content) + b"\r\n"


def pixels(images: Sequence[Image]) -> bytes:
    """Raw images end to end."""
    return b"".join(np.asarray(image).tobytes() for image in images)


def json_rows(body: bytes) -> list[Row]:
    """The rows of an answer.

    Raises:
        Unreadable: it is none, or its summary is not that of its rows.
    """
    try:
        document = json.loads(body)
        rows = [_row(result) for result in document["results"]]
        summary = Summary(**document["summary"])
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Unreadable(f"an answer that cannot be read: {error!r}") from error
    check_summary(rows, summary)
    return rows


def _row(result: dict[str, Any]) -> Row:
    if "error" in result:
        return Row(result["id"], code=result["error"]["code"])
    if result["recognizable"] not in (None, True, False):
        raise TypeError(f"expected true, false or null, got {type(result['recognizable']).__name__}")
    distance, mse, ssim = (_number(result[name]) for name in ("distance", "mse", "ssim"))
    leakage, psnr = (None if result[name] is None else _number(result[name]) for name in ("leakage", "psnr"))
    return Row(result["id"], distance, leakage, result["recognizable"], mse, psnr, ssim)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, got {type(value).__name__}")
    return float(value)


def error_code(body: bytes) -> str | None:
    """The code of an error envelope; None where there is none."""
    try:
        code = json.loads(body)["error"]["code"]
    except (ValueError, LookupError, TypeError):
        return None
    return code if isinstance(code, str) else None
