"""Questions as gRPC messages, and gRPC answers as rows."""

import struct
from collections.abc import Sequence

import numpy as np
from google.protobuf.message import DecodeError

from benchmarks.endurance.load.answers import Unreadable, check_summary
from benchmarks.endurance.load.http_forms import encoded, pixels
from benchmarks.endurance.load.questions import Form, Image, Question, Row
from semsim.summary import Summary
from semsim_service.protos.inference import grpc_predict_v2_pb2 as oip
from semsim_service.protos.semsim.v1 import scorer_pb2 as pb

SCORE = "/semsim.v1.Scorer/Score"
STREAM = "/semsim.v1.Scorer/ScoreStream"
MODEL = "/semsim.v1.Scorer/GetModel"
INFER = "/inference.GRPCInferenceService/ModelInfer"

_METHODS = {Form.STREAM: STREAM, Form.INFER: INFER}
_NUMBERS = ("distance", "leakage", "mse", "psnr", "ssim")


def method_of(form: Form) -> str:
    """The method that a form calls."""
    return _METHODS.get(form, SCORE)


def grpc_message(question: Question, model: str) -> bytes:
    """The message of a question; of a stream, one of its messages. ``model`` is the name of the model served."""
    if question.form is Form.STREAM:
        message = pb.ScoreStreamRequest(sequence=question.seed, request=pairs_message(question))
        return bytes(message.SerializeToString())
    if question.form is Form.BATCH:
        return bytes(batch_message(question).SerializeToString())
    if question.form is Form.INFER:
        return bytes(infer_message(question, model).SerializeToString())
    return bytes(pairs_message(question).SerializeToString())


def pairs_message(question: Question) -> pb.ScoreRequest:
    """A request of pairs, each with images of its own size."""
    many = len(question.originals) == len(question.reconstructions)
    pairs = []
    for index, pair_id in enumerate(question.ids):
        original = _image(question.originals[index]) if many else None
        pairs.append(pb.Pair(id=pair_id, original=original, reconstruction=_image(question.reconstructions[index])))
    return pb.ScoreRequest(pairs=pairs, original=None if many else _image(question.originals[0]))


def batch_message(question: Question) -> pb.ScoreRequest:
    """A request of raw images of one size."""
    ids = [pair_id for pair_id in question.ids if pair_id is not None]
    originals, reconstructions = _images(question.originals), _images(question.reconstructions)
    return pb.ScoreRequest(batch=pb.RawBatch(originals=originals, reconstructions=reconstructions, ids=ids))


def infer_message(question: Question, model: str) -> oip.ModelInferRequest:
    """A request of the Open Inference Protocol, with raw images of one size."""
    request = oip.ModelInferRequest(model_name=model, id=f"q{question.seed}")
    for name, images in (("originals", question.originals), ("reconstructions", question.reconstructions)):
        shape = [len(images), *np.asarray(images[0]).shape]
        request.inputs.append(oip.ModelInferRequest.InferInputTensor(name=name, datatype="UINT8", shape=shape))
        request.raw_input_contents.append(pixels(images))
    return request


def message_rows(form: Form, message: bytes) -> list[Row]:
    """The rows of an answer to a unary call.

    Raises:
        Unreadable: it is none, or its summary is not that of its rows.
    """
    try:
        if form is Form.INFER:
            return _infer_rows(oip.ModelInferResponse.FromString(message))
        return response_rows(pb.ScoreResponse.FromString(message))
    except (ValueError, LookupError, DecodeError, struct.error) as error:
        raise Unreadable(f"an answer that cannot be read: {error!r}") from error


def response_rows(response: pb.ScoreResponse) -> list[Row]:
    """The rows of a response.

    Raises:
        Unreadable: its summary is not that of its rows.
    """
    rows = [_row(result) for result in response.results]
    told = response.summary
    check_summary(
        rows,
        Summary(
            told.pairs,
            told.failed,
            told.max_leakage if told.HasField("max_leakage") else None,
            told.mean_leakage if told.HasField("mean_leakage") else None,
            told.recognizable if told.HasField("recognizable") else None,
        ),
    )
    return rows


def _row(result: pb.PairResult) -> Row:
    pair_id = result.id if result.HasField("id") else None
    if result.WhichOneof("outcome") == "error":
        return Row(pair_id, code=result.error.code)
    scored = result.scored
    return Row(
        pair_id,
        distance=scored.distance,
        leakage=scored.leakage if scored.HasField("leakage") else None,
        recognizable=scored.recognizable if scored.HasField("recognizable") else None,
        mse=scored.mse,
        psnr=scored.psnr if scored.HasField("psnr") else None,
        ssim=scored.ssim,
    )


def _infer_rows(response: oip.ModelInferResponse) -> list[Row]:
    outputs = dict(zip((output.name for output in response.outputs), response.raw_output_contents, strict=True))
    columns = [np.frombuffer(outputs[name], dtype="<f4").astype(np.float64) for name in _NUMBERS]
    flags = np.frombuffer(outputs["recognizable"], dtype=np.bool_)
    errors = _elements(outputs["error"])
    rows = []
    for distance, leakage, mse, psnr, ssim, flag, error in zip(*columns, flags, errors, strict=True):
        if error:
            rows.append(Row(None, code=error.partition(b":")[0].decode(errors="replace")))
            continue
        calibrated = not np.isnan(leakage)  # a flag alone cannot say that there is none
        row = Row(
            None,
            distance=float(distance),
            leakage=float(leakage) if calibrated else None,
            recognizable=bool(flag) if calibrated else None,
            mse=float(mse),
            psnr=None if np.isinf(psnr) else float(psnr),
            ssim=float(ssim),
        )
        rows.append(row)
    return rows


def _elements(packed: bytes) -> list[bytes]:
    """The elements of a BYTES tensor: of each its length, then its bytes."""
    found, at = [], 0
    while at < len(packed):
        (size,) = struct.unpack_from("<I", packed, at)
        found.append(packed[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def _image(image: Image) -> pb.Image:
    if isinstance(image, bytes):
        return pb.Image(encoded=encoded(image))
    return pb.Image(raw=pb.RawImage(pixels=image.tobytes(), height=image.shape[0], width=image.shape[1]))


def _images(images: Sequence[Image]) -> pb.RawImages:
    height, width = np.asarray(images[0]).shape[:2]
    return pb.RawImages(pixels=pixels(tuple(images)), count=len(images), height=height, width=width)
