"""Questions as gRPC messages, and gRPC answers as rows."""

import struct
from collections.abc import Sequence
from math import isinf, isnan
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from benchmarks.harness.http_messages import pixels
from benchmarks.harness.questions import Form, Image, Question
from benchmarks.harness.rows import Row, Unreadable, check_summary
from semsim.summary import Summary
from semsim_service.protos.inference import grpc_predict_v2_pb2 as oip
from semsim_service.protos.semsim.v1 import scorer_pb2 as pb

SCORE = "/semsim.v1.Scorer/Score"
STREAM = "/semsim.v1.Scorer/ScoreStream"
MODEL = "/semsim.v1.Scorer/GetModel"
INFER = "/inference.GRPCInferenceService/ModelInfer"

METHODS = {Form.SCORE: SCORE, Form.SCORE_RAW: SCORE, Form.BATCH: SCORE, Form.STREAM: STREAM, Form.INFER: INFER}
"""The method that each form calls."""
_NUMBERS = ("distance", "leakage", "mse", "psnr", "ssim")


def grpc_message(question: Question, model: str) -> bytes:
    """The message of a question; for a stream, one of its messages. ``model`` is the name of the model served."""
    match question.form:
        case Form.STREAM:
            message = pb.ScoreStreamRequest(sequence=question.seed, request=_pairs(question))
        case Form.INFER:
            message = _inference(question, model)
        case Form.BATCH:
            ids = [pair_id for pair_id in question.ids if pair_id is not None]
            originals, reconstructions = _images(question.originals), _images(question.reconstructions)
            batch = pb.RawBatch(originals=originals, reconstructions=reconstructions, ids=ids)
            message = pb.ScoreRequest(batch=batch)
        case _:
            message = _pairs(question)
    return bytes(message.SerializeToString())


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


def _image(image: Image) -> pb.Image:
    if isinstance(image, bytes):
        return pb.Image(encoded=image)
    return pb.Image(raw=pb.RawImage(pixels=image.tobytes(), height=image.shape[0], width=image.shape[1]))


def _images(images: Sequence[Image]) -> pb.RawImages:
    height, width = np.asarray(images[0]).shape[:2]
    return pb.RawImages(pixels=pixels(images), count=len(images), height=height, width=width)


def message_rows(form: Form, message: bytes) -> list[Row]:
    """The rows of an answer to a unary call.

    Raises:
        Unreadable: it is none, or its summary is not that of its rows.
    """
    try:
        if form is Form.INFER:
            return _inferred_rows(oip.ModelInferResponse.FromString(message))
        return response_rows(pb.ScoreResponse.FromString(message))
    except (ValueError, LookupError, DecodeError, struct.error) as error:
        raise Unreadable(f"an answer that cannot be read: {error!r}") from error


def response_rows(response: pb.ScoreResponse) -> list[Row]:
    """The rows of a response.

    Raises:
        Unreadable: its summary is not that of its rows.
    """
    rows = []
    for result in response.results:
        pair_id = _optional(result, "id")
        if result.WhichOneof("outcome") == "error":
            rows.append(Row(pair_id, code=result.error.code))
            continue
        scored = result.scored
        leakage, recognizable, psnr = (_optional(scored, name) for name in ("leakage", "recognizable", "psnr"))
        rows.append(Row(pair_id, scored.distance, leakage, recognizable, scored.mse, psnr, scored.ssim))
    told = response.summary
    optional = (_optional(told, name) for name in ("max_leakage", "mean_leakage", "recognizable"))
    check_summary(rows, Summary(told.pairs, told.failed, *optional))
    return rows


def _optional(message: Any, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def _inferred_rows(response: oip.ModelInferResponse) -> list[Row]:
    outputs = dict(zip((output.name for output in response.outputs), response.raw_output_contents, strict=True))
    columns = [np.frombuffer(outputs[name], dtype="<f4").astype(np.float64).tolist() for name in _NUMBERS]
    flags = np.frombuffer(outputs["recognizable"], dtype=np.bool_).tolist()
    rows = []
    for distance, leakage, mse, psnr, ssim, flag, error in zip(
        *columns, flags, _elements(outputs["error"]), strict=True
    ):
        if error:
            rows.append(Row(None, code=error.partition(b":")[0].decode(errors="replace")))
            continue
        # A flag alone cannot say that there is none.
        calibrated = (None, None) if isnan(leakage) else (leakage, flag)
        rows.append(Row(None, distance, *calibrated, mse, None if isinf(psnr) else psnr, ssim))
    return rows


def _elements(packed: bytes) -> list[bytes]:
    """The elements of a BYTES tensor, each of which stands behind its length."""
    elements, at = [], 0
    while at < len(packed):
        (size,) = struct.unpack_from("<I", packed, at)
        elements.append(packed[at + 4 : at + 4 + size])
        at += 4 + size
    return elements
