"""Questions as HTTP requests and gRPC messages, and the answers to them as rows."""

import base64
import json
import struct
from collections.abc import Mapping, Sequence
from math import isinf, isnan
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from pydantic import ValidationError

from benchmarks.harness.questions import HTTP_FORMS, Form, Picture, Question
from benchmarks.harness.rows import Row, Unreadable, check_summary
from semsim.protos.inference import grpc_predict_v2_pb2 as oip
from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim.summary import Summary
from semsim_service.core.schemas import ErrorEnvelope, FailedPair, ScoreResponse

JSON_TYPE = "application/json"
OCTETS_TYPE = "application/octet-stream"
BOUNDARY = b"semsim-endurance-7f3a"
MULTIPART_TYPE = f"multipart/form-data; boundary={BOUNDARY.decode()}"

SCORE = "/semsim.v1.Scorer/Score"
STREAM = "/semsim.v1.Scorer/ScoreStream"
MODEL = "/semsim.v1.Scorer/GetModel"
INFER = "/inference.GRPCInferenceService/ModelInfer"

METHODS = {Form.SCORE: SCORE, Form.SCORE_RAW: SCORE, Form.BATCH: SCORE, Form.STREAM: STREAM, Form.INFER: INFER}
_NUMBERS = ("distance", "leakage", "mse", "psnr", "ssim", "chance")


def request_bytes(headers: Mapping[str, str], body: bytes, *, method: str = "POST", path: str = "/score") -> bytes:
    """One HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def request_of(question: Question, model: str = "") -> bytes:
    """A question as it is sent; its id goes along and must come back. ``model`` is the name of the model served."""
    if question.form not in HTTP_FORMS:
        return grpc_message(question, model)
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
        original, reconstruction = (base64.b64encode(bytes(image)).decode() for image in images)
        named = {} if pair_id is None else {"id": pair_id}
        pairs.append({**named, "original": original, "reconstruction": reconstruction})
    return {"pairs": pairs}


def multipart_body(question: Question) -> bytes:
    """The form of a question with encoded images."""
    parts = [_part(f'name="original"; filename="o{i}"', one) for i, one in enumerate(question.originals)]
    parts += [_part(f'name="reconstruction"; filename="r{i}"', one) for i, one in enumerate(question.reconstructions)]
    parts += [_part('name="id"', str(pair_id).encode()) for pair_id in question.ids]
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


def _part(disposition: str, content: Picture) -> bytes:
    head = f"Content-Disposition: form-data; {disposition}\r\n\r\n".encode()
    return b"--" + BOUNDARY + b"\r\n" + head + bytes(content) + b"\r\n"


def pixels(images: Sequence[Picture]) -> bytes:
    """Raw images end to end."""
    return b"".join(np.asarray(image).tobytes() for image in images)


def json_rows(body: bytes) -> list[Row]:
    """The rows of an answer. Raises :class:`Unreadable` where it is none, or its summary is not that of its rows."""
    try:
        response = ScoreResponse.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise Unreadable(f"an answer that cannot be read: {error!r}") from error
    rows = [
        Row(one.id, code=one.error.code)
        if isinstance(one, FailedPair)
        else Row(
            *(one.id, one.distance, one.leakage, one.recognizable, one.mse, one.psnr, one.ssim),
            *(bool(one.uninformative), one.chance),
        )
        for one in response.results
    ]
    check_summary(rows, response.summary)
    return rows


def error_code(body: bytes) -> str | None:
    """The code of an error envelope; None where there is none."""
    try:
        return ErrorEnvelope.model_validate_json(body).error.code
    except ValidationError:
        return None


def grpc_message(question: Question, model: str) -> bytes:
    """The message of a question; for a stream, one of its messages. ``model`` is the name of the model served."""
    match question.form:
        case Form.STREAM:
            return pb.ScoreStreamRequest(sequence=question.seed, request=_pairs(question)).SerializeToString()
        case Form.INFER:
            return _inference(question, model).SerializeToString()
        case Form.BATCH:
            ids = [pair_id for pair_id in question.ids if pair_id is not None]
            originals, reconstructions = _images(question.originals), _images(question.reconstructions)
            batch = pb.RawBatch(originals=originals, reconstructions=reconstructions, ids=ids)
            return pb.ScoreRequest(batch=batch).SerializeToString()
        case _:
            return _pairs(question).SerializeToString()


def _pairs(question: Question) -> pb.ScoreRequest:
    """A request of pairs, each with images of its own size."""
    originals = [None] * len(question.ids) if question.shares_original else list(map(_image, question.originals))
    pairs = [
        pb.Pair(id=pair_id, original=original, reconstruction=_image(image))
        for pair_id, original, image in zip(question.ids, originals, question.reconstructions, strict=True)
    ]
    return pb.ScoreRequest(pairs=pairs, original=_image(question.originals[0]) if question.shares_original else None)


def _inference(question: Question, model: str) -> oip.ModelInferRequest:
    """A request of the Open Inference Protocol, with raw images of one size."""
    request = oip.ModelInferRequest(model_name=model, id=question.name)
    for name, images in (("originals", question.originals), ("reconstructions", question.reconstructions)):
        shape = [len(images), *np.asarray(images[0]).shape]
        request.inputs.append(oip.ModelInferRequest.InferInputTensor(name=name, datatype="UINT8", shape=shape))
        request.raw_input_contents.append(pixels(images))
    return request


def _image(image: Picture) -> pb.Image:
    if isinstance(image, bytes):
        return pb.Image(encoded=image)
    return pb.Image(raw=pb.RawImage(pixels=image.tobytes(), height=image.shape[0], width=image.shape[1]))


def _images(images: Sequence[Picture]) -> pb.RawImages:
    height, width = np.asarray(images[0]).shape[:2]
    return pb.RawImages(pixels=pixels(images), count=len(images), height=height, width=width)


def message_rows(form: Form, message: bytes) -> list[Row]:
    """The rows of an answer to a unary call. Raises :class:`Unreadable` as :func:`json_rows` does."""
    try:
        if form is Form.INFER:
            return _inferred_rows(oip.ModelInferResponse.FromString(message))
        return response_rows(pb.ScoreResponse.FromString(message))
    except (ValueError, LookupError, DecodeError, struct.error) as error:
        raise Unreadable(f"an answer that cannot be read: {error!r}") from error


def response_rows(response: pb.ScoreResponse) -> list[Row]:
    """The rows of a response. Raises :class:`Unreadable` where its summary is not that of its rows."""
    rows = []
    for result in response.results:
        pair_id = _optional(result, "id")
        if result.WhichOneof("outcome") == "error":
            if result.verdict != pb.VERDICT_FAILED:
                raise Unreadable(f"a failed pair with another verdict: {pb.Verdict.Name(result.verdict)}")
            rows.append(Row(pair_id, code=result.error.code))
            continue
        scored = result.scored
        leakage, recognizable, psnr = (_optional(scored, name) for name in ("leakage", "recognizable", "psnr"))
        numbers = (scored.distance, leakage, recognizable, scored.mse, psnr, scored.ssim)
        rows.append(Row(pair_id, *numbers, bool(scored.uninformative), _optional(scored, "chance")))
        if result.verdict != _verdict(rows[-1]):
            raise Unreadable(f"a verdict that contradicts its pair: {pb.Verdict.Name(result.verdict)}")
    summary = response.summary
    names = ("max_leakage", "mean_leakage", "recognizable", "identified")
    optional = {name: _optional(summary, name) for name in names}
    check_summary(rows, Summary(summary.pairs, summary.failed, **optional, uninformative=summary.uninformative))
    return rows


def _verdict(row: Row) -> pb.Verdict:
    if row.uninformative:
        return pb.VERDICT_UNINFORMATIVE
    verdicts = {None: pb.VERDICT_UNCALIBRATED, True: pb.VERDICT_RECOGNIZABLE, False: pb.VERDICT_NOT_RECOGNIZABLE}
    return verdicts[row.recognizable]


def _optional(message: Any, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def _inferred_rows(response: oip.ModelInferResponse) -> list[Row]:
    outputs = dict(zip((output.name for output in response.outputs), response.raw_output_contents, strict=True))
    columns = [np.frombuffer(outputs[name], dtype="<f4").astype(np.float64).tolist() for name in _NUMBERS]
    flags = np.frombuffer(outputs["recognizable"], dtype=np.int8).tolist()
    statuses, errors = _elements(outputs["status"]), _elements(outputs["error"])
    rows = []
    for values in zip(*columns, flags, statuses, errors, strict=True):
        distance, leakage, mse, psnr, ssim, chance, flag, status, error = values
        # No tensor may call a pair harmless that has no leakage, whatever the others say.
        known = status == b"scored"
        if (flag in (0, 1)) != known or isnan(leakage) == known or (status == b"failed") != bool(error):
            raise Unreadable(f"tensors that contradict each other: {status!r}, {flag}, {leakage}, {error!r}")
        if error:
            rows.append(Row(None, code=error.partition(b":")[0].decode(errors="replace")))
            continue
        leakage, flag = (leakage, bool(flag)) if known else (None, None)
        psnr = None if isinf(psnr) else psnr
        known_chance = None if isnan(chance) else chance
        rows.append(Row(None, distance, leakage, flag, mse, psnr, ssim, status == b"uninformative", known_chance))
    return rows


def _elements(packed: bytes) -> list[bytes]:
    """The elements of a BYTES tensor, each of which stands behind its length."""
    elements, at = [], 0
    while at < len(packed):
        (size,) = struct.unpack_from("<I", packed, at)
        elements.append(packed[at + 4 : at + 4 + size])
        at += 4 + size
    return elements
