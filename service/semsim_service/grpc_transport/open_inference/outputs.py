"""Makes the output tensors of the Open Inference Protocol from the core's answers."""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf, nan

import numpy as np

from semsim.exceptions import InvalidRequest
from semsim_service.core.schemas import FailedPair, ScoredPair, ScoreResponse
from semsim_service.protos.inference import grpc_predict_v2_pb2 as pb

_Value = float | bool | bytes


@dataclass(frozen=True, slots=True)
class Output:
    """One output of the model. It has one value for each pair."""

    datatype: str
    value: Callable[[ScoredPair], _Value]
    of_failed: Callable[[FailedPair], _Value]


def _number(value: Callable[[ScoredPair], float | None], missing: float = nan) -> Output:
    def read(result: ScoredPair) -> float:
        number = value(result)
        return missing if number is None else number

    return Output("FP32", read, lambda _: nan)


def _flag(value: Callable[[ScoredPair], bool | None]) -> Output:
    return Output("BOOL", lambda result: bool(value(result)), lambda _: False)


OUTPUTS = {
    "distance": _number(lambda result: result.distance),
    "leakage": _number(lambda result: result.leakage),
    "recognizable": _flag(lambda result: result.recognizable),
    "mse": _number(lambda result: result.mse),
    "psnr": _number(lambda result: result.psnr, missing=inf),
    "ssim": _number(lambda result: result.ssim),
    "resized": _flag(lambda result: result.resized),
    "error": Output("BYTES", lambda _: b"", lambda result: f"{result.error.code}: {result.error.message}".encode()),
}
"""The outputs by name, in the order of an answer to a request that names none."""


def requested_outputs(request: pb.ModelInferRequest) -> Sequence[str]:
    """The names of the outputs that a request asks for, or all of them when it names none.

    Raises:
        InvalidRequest: the request names an output that the model does not have, or one twice.
    """
    names = [output.name for output in request.outputs]
    if not set(names) <= OUTPUTS.keys():
        raise InvalidRequest(f"expected outputs among {', '.join(OUTPUTS)}, got another")
    if len(set(names)) != len(names):
        raise InvalidRequest(f"expected each output once, got {len(names)} names, some of them again")
    return names or list(OUTPUTS)


def infer_message(answer: ScoreResponse, names: Sequence[str], request_id: str) -> pb.ModelInferResponse:
    """The answer as a message with the outputs ``names``."""
    count = len(answer.results)
    tensors = [OUTPUTS[name] for name in names]
    return pb.ModelInferResponse(
        model_name=answer.model.name,
        model_version=answer.model.version,
        id=request_id,
        outputs=[
            pb.ModelInferResponse.InferOutputTensor(name=name, datatype=output.datatype, shape=[count])
            for name, output in zip(names, tensors, strict=True)
        ],
        raw_output_contents=[_packed(output, answer.results) for output in tensors],
    )


def _packed(output: Output, results: Iterable[ScoredPair | FailedPair]) -> bytes:
    values = [output.of_failed(r) if isinstance(r, FailedPair) else output.value(r) for r in results]
    if output.datatype == "FP32":
        return np.array(values, dtype="<f4").tobytes()
    if output.datatype == "BOOL":
        return np.array(values, dtype=np.bool_).tobytes()
    return b"".join(struct.pack("<I", len(value)) + value for value in values if isinstance(value, bytes))
