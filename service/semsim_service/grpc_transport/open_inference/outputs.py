"""Makes the output tensors of the Open Inference Protocol from the core's answers."""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf, nan

import numpy as np

from semsim.exceptions import InvalidRequest
from semsim.protos.inference import grpc_predict_v2_pb2 as pb
from semsim_service.core.schemas import FailedPair, ScoredPair, ScoreResponse

_Value = float | int | bytes
_UNKNOWN = 2
"""Above 0: a reader who asks for true or positive values takes an unknown pair for a leak, not for a safe one."""


@dataclass(frozen=True, slots=True)
class Output:
    """One output of the model. It has one value for each pair."""

    datatype: str
    value: Callable[[ScoredPair], _Value]
    of_failed: Callable[[FailedPair], _Value]
    values: str = ""
    """The meaning of the values. An answer carries it with the tensor, as the parameter ``values``."""


def _number(value: Callable[[ScoredPair], float | None], missing: float = nan) -> Output:
    def read(result: ScoredPair) -> float:
        number = value(result)
        return missing if number is None else number

    return Output("FP32", read, lambda _: nan)


def _flag(value: Callable[[ScoredPair], bool | None], values: str) -> Output:
    """A flag as a number: 0 never stands for what is not known, so that nobody takes a failure for a harmless pair."""

    def read(result: ScoredPair) -> int:
        flag = value(result)
        return _UNKNOWN if flag is None else int(flag)

    return Output("INT8", read, lambda _: _UNKNOWN, values)


def _status(result: ScoredPair) -> bytes:
    if result.uninformative:
        return b"uninformative"
    return b"uncalibrated" if result.leakage is None else b"scored"


OUTPUTS = {
    "distance": _number(lambda result: result.distance),
    "leakage": _number(lambda result: result.leakage),
    "leakage_low": _number(lambda result: result.leakage_low),
    "leakage_high": _number(lambda result: result.leakage_high),
    "recognizable": _flag(
        lambda result: result.recognizable, "1: recognizable; 0: not recognizable; 2: not known, see status"
    ),
    "chance": _number(lambda result: result.chance),
    "identified": _flag(lambda result: result.identified, "1: identified; 0: not identified; 2: not known"),
    "mse": _number(lambda result: result.mse),
    "psnr": _number(lambda result: result.psnr, missing=inf),
    "ssim": _number(lambda result: result.ssim),
    "lpips": _number(lambda result: result.lpips),
    "resized": _flag(lambda result: result.resized, "1: resized; 0: not resized; 2: not scored"),
    "error": Output("BYTES", lambda _: b"", lambda result: f"{result.error.code}: {result.error.message}".encode()),
    "status": Output(
        "BYTES",
        _status,
        lambda _: b"failed",
        "scored; failed: see error; uninformative: the original shows nothing, or the reconstruction is blank, or "
        "resembles it moved or in another order of its values; uncalibrated: the model has no calibration. Only a "
        "scored pair has a leakage",
    ),
}
"""The outputs by name, in the order of an answer to a request that names none."""
CONTROLLED = frozenset({"chance", "identified"})
"""The outputs that need the model's controls: a request that asks for neither does without."""


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
            pb.ModelInferResponse.InferOutputTensor(
                name=name, datatype=output.datatype, shape=[count], parameters=_parameters(output)
            )
            for name, output in zip(names, tensors, strict=True)
        ],
        raw_output_contents=[_packed(output, answer.results) for output in tensors],
    )


def _parameters(output: Output) -> dict[str, pb.InferParameter]:
    return {"values": pb.InferParameter(string_param=output.values)} if output.values else {}


def _packed(output: Output, results: Iterable[ScoredPair | FailedPair]) -> bytes:
    values = [output.of_failed(r) if isinstance(r, FailedPair) else output.value(r) for r in results]
    if output.datatype == "FP32":
        return np.array(values, dtype="<f4").tobytes()
    if output.datatype == "INT8":
        return np.array(values, dtype=np.int8).tobytes()
    return b"".join(struct.pack("<I", len(value)) + value for value in values if isinstance(value, bytes))
