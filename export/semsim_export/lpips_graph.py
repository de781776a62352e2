"""The ONNX graph of LPIPS, node by node."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from semsim.lpips_network import LPIPS_INPUTS, LPIPS_OUTPUT
from semsim_export.graph import OPSET
from semsim_training.reference_metrics.lpips import CONVOLUTIONS, EPSILON, SCALE, SHIFT, head_name

_FLOAT32_IR = 10


class _GraphParts:
    """The nodes and weights of a graph that is written from its input on."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        """Add a node and return the names of its outputs."""
        names = [f"{operator.lower()}_{len(self.nodes)}_{place}" for place in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names

    def one(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of one output and return its name."""
        return self.node(operator, *inputs, **attributes)[0]

    def constant(self, values: NDArray[Any] | Sequence[float] | float, kind: type = np.float32) -> str:
        """Add a weight and return its name."""
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype=kind), name))
        return name


def lpips_graph(weights: dict[str, NDArray[np.float32]]) -> bytes:
    """LPIPS as a serialised graph: two batches uint8 ``[N, H, W, 3]`` of any one size to float32 ``[N]``.

    ``weights`` are those that :class:`semsim_training.reference_metrics.lpips.Lpips` reads.
    """
    parts = _GraphParts()
    maps = parts.one("Cast", parts.one("Concat", *LPIPS_INPUTS, axis=0), to=TensorProto.FLOAT)
    maps = parts.one("Transpose", maps, perm=[0, 3, 1, 2])
    shift, scale = (np.array(values).reshape(1, 3, 1, 1) for values in (SHIFT, SCALE))
    maps = parts.one("Mul", maps, parts.constant(2.0 / 255.0 / scale))
    maps = parts.one("Add", maps, parts.constant((-1.0 - shift) / scale))
    layers = []
    for layer, (index, _, _, kernel, stride, padding, pooled) in enumerate(CONVOLUTIONS):
        if pooled:
            maps = parts.one("MaxPool", maps, kernel_shape=[3, 3], strides=[2, 2])
        weight, bias = (parts.constant(weights[f"features.{index}.{kind}"]) for kind in ("weight", "bias"))
        maps = parts.one(
            "Conv", maps, weight, bias, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[padding] * 4
        )
        maps = parts.one("Relu", maps)
        layers.append(_compared(parts, maps, weights[head_name(layer)]))
    parts.nodes.append(helper.make_node("Sum", layers, [LPIPS_OUTPUT]))
    shape = ["N", "H", "W", 3]
    graph = helper.make_graph(
        parts.nodes,
        "lpips",
        [helper.make_tensor_value_info(name, TensorProto.UINT8, shape) for name in LPIPS_INPUTS],
        [helper.make_tensor_value_info(LPIPS_OUTPUT, TensorProto.FLOAT, ["N"])],
        parts.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_FLOAT32_IR)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _compared(parts: _GraphParts, maps: str, head: NDArray[np.float32]) -> str:
    """The weighted squared difference of the unit features of both halves of a batch, averaged over positions."""
    squares = parts.one("ReduceSum", parts.one("Mul", maps, maps), parts.constant([1], np.int64), keepdims=1)
    norms = parts.one("Add", parts.one("Sqrt", squares), parts.constant(EPSILON))
    left, right = parts.node("Split", parts.one("Div", maps, norms), outputs=2, axis=0, num_outputs=2)
    difference = parts.one("Sub", left, right)
    weighted = parts.one("Conv", parts.one("Mul", difference, difference), parts.constant(head))
    return parts.one("ReduceMean", weighted, parts.constant([1, 2, 3], np.int64), keepdims=0)
