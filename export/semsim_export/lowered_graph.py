"""The graph of an artifact in lower precision, made of the graph itself, without the checkpoint that it came from."""

from collections.abc import Iterator
from enum import StrEnum

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic

from semsim_export.graph import anonymous, kept_in_float, prepared_to_quantize, quantized


class LowerPrecision(StrEnum):
    """The arithmetic of a lowered graph."""

    INT8 = "int8, as `semsim export` quantises"
    INT8_EVERYWHERE = "int8, every convolution"
    INT8_DYNAMIC = "int8, with ranges found at run time"
    FP16 = "fp16"
    BF16 = "bf16"


_HALF = {LowerPrecision.FP16: TensorProto.FLOAT16, LowerPrecision.BF16: TensorProto.BFLOAT16}
_FOLLOWING = ("Clip", "Add")
"""Operators that compute in half behind a convolution that does. The normalisations stay in single precision."""
_BF16_OPSET = 22
"""The first opset whose convolutions take bf16."""


def lowered(graph: bytes, precision: LowerPrecision, calibration: NDArray[np.uint8]) -> bytes:
    """The graph in another precision, of the same input and output.

    ``calibration``, images ``(M, H, W, 3)`` of the input size, gives the ranges of values to static int8 alone.
    """
    model = onnx.load_from_string(graph)
    match precision:
        case LowerPrecision.INT8 | LowerPrecision.INT8_EVERYWHERE:
            in_float = kept_in_float(model) if precision is LowerPrecision.INT8 else set()
            return bytes(quantized(model, calibration, in_float).SerializeToString())
        case LowerPrecision.INT8_DYNAMIC:
            with prepared_to_quantize(model) as (prepared, target):
                quantize_dynamic(prepared, target, weight_type=QuantType.QUInt8)
                return bytes(anonymous(onnx.load(target)).SerializeToString())
        case LowerPrecision.FP16 | LowerPrecision.BF16:
            if precision is LowerPrecision.BF16:
                (default,) = (one for one in model.opset_import if not one.domain)
                default.version = max(default.version, _BF16_OPSET)
            return bytes(_halved(model, _HALF[precision]).SerializeToString())


def _halved(model: onnx.ModelProto, half: int) -> onnx.ModelProto:
    """The backbone computes in half precision; each value that another operator takes is widened again."""
    nodes = list(_halved_nodes(model.graph.node, half))
    used = {name for node in nodes for name in node.input} | {value.name for value in model.graph.output}
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(node for node in nodes if used.intersection(node.output))
    onnx.checker.check_model(model, full_check=True)
    return model


def _halved_nodes(nodes: list[onnx.NodeProto], half: int) -> Iterator[onnx.NodeProto]:
    halves: dict[str, str] = {}
    for node in list(nodes):
        if node.op_type != "Conv" and not (node.op_type in _FOLLOWING and node.input[0] in halves):
            yield node
            continue
        for place, name in enumerate(node.input):
            if name not in halves:
                halves[name] = f"{name}.halved"
                yield onnx.helper.make_node("Cast", [name], [halves[name]], to=half)
            node.input[place] = halves[name]
        (output,) = node.output
        node.output[0] = halves[output] = f"{output}.halved"
        yield node
        yield onnx.helper.make_node("Cast", [halves[output]], [output], to=TensorProto.FLOAT)
