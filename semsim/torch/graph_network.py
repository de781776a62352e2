"""The graph of an artifact as a module of torch, through which gradients flow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import onnx
import torch
from google.protobuf.message import DecodeError
from torch import Tensor, nn

from semsim.exceptions import InvalidGraph
from semsim.torch.graph_operators import OPERATORS

_OLDEST_OPSET = 18
"""Before it axes and limits were attributes of a node, which would be passed over here, and give other numbers."""


@dataclass(frozen=True, slots=True)
class GraphStep:
    """One node of a graph."""

    operator: str
    inputs: tuple[str, ...]
    """The names of the values that it takes; an empty one stands for an input that is left out."""
    output: str
    attributes: Mapping[str, Any]


class GraphNetwork(nn.Module):
    """Runs an ONNX graph with torch.

    Its weights are buffers, not parameters, and no part of a ``state_dict``: they are the artifact's, and no optimiser
    is to change them. Weights in half precision are widened to single.
    """

    def __init__(self, graph: bytes) -> None:
        """Read a serialised graph of one input and one output.

        Raises:
            InvalidGraph: it is no ONNX graph, has several inputs or outputs, or uses an operator that is not known
                here, such as those of int8 artifacts, through which no gradient flows, or of an opset before 18.
        """
        super().__init__()
        try:
            model = onnx.load_from_string(graph)
        except DecodeError as error:
            raise InvalidGraph(f"expected an ONNX graph, got {error}") from error
        opset = max((one.version for one in model.opset_import if not one.domain), default=0)
        if opset < _OLDEST_OPSET:
            raise InvalidGraph(f"expected a graph of opset {_OLDEST_OPSET} or later, got {opset}")
        constants = {tensor.name: _tensor(tensor) for tensor in model.graph.initializer}
        inputs = [value.name for value in model.graph.input if value.name not in constants]
        outputs = [value.name for value in model.graph.output]
        if len(inputs) != 1 or len(outputs) != 1:
            raise InvalidGraph(f"expected a graph of one input and one output, got {inputs} and {outputs}")
        (self._input,), (self._output,) = inputs, outputs
        self._steps: list[GraphStep] = []
        for node in model.graph.node:
            step = _step(node)
            if all(name in constants or not name for name in step.inputs):
                constants[step.output] = _run(step, constants)
            else:
                self._steps.append(step)
        used = {name for step in self._steps for name in step.inputs}
        self._weights: dict[str, str] = {}
        """The buffer of each weight by the weight's name in the graph, which may have dots."""
        self._numbers = {name: value for name, value in constants.items() if not value.is_floating_point()}
        """Shapes and axes. They stay in the CPU's memory, where torch reads them."""
        for name in sorted(used & constants.keys() - self._numbers.keys()):
            self._weights[name] = f"weight_{len(self._weights)}"
            self.register_buffer(self._weights[name], constants[name], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """The output of the graph for an input of the weights' type, such as levels float32 ``(N, H, W, 3)``."""
        values: dict[str, Tensor] = dict(self._numbers)
        values |= {name: self.get_buffer(buffer) for name, buffer in self._weights.items()}
        values[self._input] = images
        for step in self._steps:
            values[step.output] = _run(step, values)
        return values[self._output]


def _tensor(tensor: onnx.TensorProto) -> Tensor:
    value: Tensor = torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy())
    return value.float() if value.is_floating_point() else value


def _step(node: onnx.NodeProto) -> GraphStep:
    if node.op_type not in OPERATORS or node.domain or len(node.output) != 1:
        raise InvalidGraph(f"expected operators of {', '.join(OPERATORS)}, got {node.domain}{node.op_type}")
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    return GraphStep(node.op_type, tuple(node.input), node.output[0], attributes)


def _run(step: GraphStep, values: Mapping[str, Tensor]) -> Tensor:
    inputs = (values[name] if name else None for name in step.inputs)
    result: Tensor = OPERATORS[step.operator](step.attributes, *inputs)
    return result
