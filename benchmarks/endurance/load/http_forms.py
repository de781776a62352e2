"""Questions as HTTP requests, and HTTP answers as rows."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.endurance.load.answers import Unreadable, check_summary, number
from benchmarks.endurance.load.questions import Form, Image, Question, Row
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
    return request_bytes({"X-Request-Id": request_id(question), **headers}, body)


def request_id(question: Question) -> str:
    """The question's name."""
    return f"q{question.seed}"


def http_parts(question: Question) -> tuple[dict[str, str], bytes]:
    """The headers that say what the body is, and the body."""
    if question.form is Form.JSON:
        return {"Content-Type": JSON_TYPE}, json.dumps(json_body(question)).encode()
    if question.form is Form.MULTIPART:
        return {"Content-Type": MULTIPART_TYPE}, multipart_body(question)
    first = question.reconstructions[0]
    if isinstance(first, bytes):
        raise TypeError(f"expected raw images, got encoded ones in {question.form}")
    shape = f"{len(question.reconstructions)},{first.shape[0]},{first.shape[1]}"
    headers = {"Content-Type": OCTETS_TYPE, "X-Semsim-Shape": shape}
    if len(question.originals) != len(question.reconstructions):
        headers["X-Semsim-Originals"] = "1"
    return headers, pixels(question.originals) + pixels(question.reconstructions)


def json_body(question: Question) -> dict[str, Any]:
    """The JSON document of a question with encoded images."""
    pairs = [
        {"id": pair_id, "original": _base64(original), "reconstruction": _base64(reconstruction)}
        for pair_id, (original, reconstruction) in zip(question.ids, question.pairs, strict=True)
    ]
    return {"pairs": pairs}


def multipart_body(question: Question) -> bytes:
    """The form of a question with encoded images."""
    parts = [_part(f'name="original"; filename="o{i}"', one) for i, one in enumerate(question.originals)]
    parts += [_part(f'name="reconstruction"; filename="r{i}"', one) for i, one in enumerate(question.reconstructions)]
    parts += [_part('name="id"', str(pair_id).encode()) for pair_id in question.ids]
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


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


def error_code(body: bytes) -> str | None:
    """The code of an error envelope; None where there is none."""
    try:
        return str(json.loads(body)["error"]["code"])
    except (ValueError, LookupError, TypeError):
        return None


def pixels(images: tuple[Image, ...]) -> bytes:
    """Raw images end to end."""
    return b"".join(np.asarray(image).tobytes() for image in images)


def encoded(image: Image) -> bytes:
    """An image that is encoded."""
    if not isinstance(image, bytes):
        raise TypeError("expected an encoded image, got a raw one")
    return image


def _base64(image: Image) -> str:
    return base64.b64encode(encoded(image)).decode()


def _part(disposition: str, content: Image) -> bytes:
    head = f"Content-Disposition: form-data; {disposition}\r\n\r\n".encode()
    return b"--" + BOUNDARY + b"\r\n" + head + encoded(content) + b"\r\n"


def _row(result: dict[str, Any]) -> Row:
    if "error" in result:
        return Row(result["id"], code=result["error"]["code"])
    leakage, psnr, recognizable = result["leakage"], result["psnr"], result["recognizable"]
    if recognizable not in (None, True, False):
        raise TypeError(f"expected true, false or null, got {type(recognizable).__name__}")
    return Row(
        result["id"],
        distance=number(result["distance"]),
        leakage=None if leakage is None else number(leakage),
        recognizable=recognizable,
        mse=number(result["mse"]),
        psnr=None if psnr is None else number(psnr),
        ssim=number(result["ssim"]),
    )
