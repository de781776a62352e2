"""The ONNX operators that artifacts use, as functions of torch (onnx.ai/onnx/operators, opset 20)."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from onnx import TensorProto
from torch import Tensor

from semsim.exceptions import InvalidGraph

Attributes = Mapping[str, Any]
"""The attributes of a node by their names."""
Operator = Callable[..., Tensor]
"""A function of a node's attributes and its inputs."""

_INTEGERS = {TensorProto.INT32: torch.int32, TensorProto.INT64: torch.int64}
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)


def _cast(attributes: Attributes, value: Tensor) -> Tensor:
    """Cast to an integer type; a float keeps its type, which is that of the whole network."""
    to = attributes["to"]
    if to in _FLOATS:
        return value if value.is_floating_point() else value.float()
    if to not in _INTEGERS:
        raise InvalidGraph(f"expected a Cast to float, int32 or int64, got {TensorProto.DataType.Name(to)}")
    return value.to(_INTEGERS[to])


def _pads(attributes: Attributes) -> list[int]:
    """The padding in the order of torch: left, right, top, bottom."""
    if attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise InvalidGraph(f"expected pads in numbers, got auto_pad {attributes['auto_pad'].decode()}")
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    return [left, right, top, bottom]


def _conv(attributes: Attributes, maps: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    if weight.dim() != 4:
        raise InvalidGraph(f"expected a convolution of two dimensions, got a weight of shape {tuple(weight.shape)}")
    left, right, top, bottom = _pads(attributes)
    if (left, top) != (right, bottom):
        maps, left, top = F.pad(maps, (left, right, top, bottom)), 0, 0
    strides, dilations = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    return F.conv2d(maps, weight, bias, strides, (top, left), dilations, attributes.get("group", 1))


def _average_pool(attributes: Attributes, maps: Tensor) -> Tensor:
    kernel = attributes["kernel_shape"]
    if any(_pads(attributes)) or attributes.get("ceil_mode") or len(kernel) != 2:
        raise InvalidGraph("expected an average of whole squares of pixels, got one with padding or partial squares")
    return F.avg_pool2d(maps, kernel, attributes.get("strides", [1, 1]))


def _clip(_: Attributes, value: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    return value if low is None and high is None else torch.clamp(value, low, high)


def _gemm(attributes: Attributes, left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    left = left.T if attributes.get("transA") else left
    right = right.T if attributes.get("transB") else right
    product: Tensor = attributes.get("alpha", 1.0) * (left @ right)
    return product if bias is None else product + attributes.get("beta", 1.0) * bias


def _reshape(attributes: Attributes, value: Tensor, shape: Tensor) -> Tensor:
    sides = [int(side) for side in shape.tolist()]
    if not attributes.get("allowzero"):  # a zero then stands for the side that is there
        sides = [value.shape[place] if side == 0 else side for place, side in enumerate(sides)]
    return value.reshape(sides)


def _flatten(attributes: Attributes, value: Tensor) -> Tensor:
    axis = attributes.get("axis", 1) % (value.dim() + 1)
    return value.reshape(value.shape[:axis].numel(), -1)


def _axes(attributes: Attributes, value: Tensor, axes: Tensor | None) -> list[int]:
    """The axes along which a node reduces; all of them where it names none."""
    if axes is None or not axes.numel():
        return [] if attributes.get("noop_with_empty_axes") else list(range(value.dim()))
    return [int(axis) for axis in axes.tolist()]


def _reduction(reduce: Callable[..., Tensor]) -> Operator:
    def reduced(attributes: Attributes, value: Tensor, axes: Tensor | None = None) -> Tensor:
        along = _axes(attributes, value, axes)
        return reduce(value, dim=along, keepdim=bool(attributes.get("keepdims", 1))) if along else value

    return reduced


def _shape(attributes: Attributes, value: Tensor) -> Tensor:
    return torch.tensor(list(value.shape)[attributes.get("start", 0) : attributes.get("end")])


def _squeeze(_: Attributes, value: Tensor, axes: Tensor | None = None) -> Tensor:
    return value.squeeze() if axes is None else value.squeeze(tuple(axes.tolist()))


def _unsqueeze(_: Attributes, value: Tensor, axes: Tensor) -> Tensor:
    rank = value.dim() + axes.numel()
    for axis in sorted(int(axis) % rank for axis in axes.tolist()):
        value = value.unsqueeze(axis)
    return value


def _gather(attributes: Attributes, value: Tensor, places: Tensor) -> Tensor:
    axis = attributes.get("axis", 0) % value.dim()
    places = places.to(value.device)
    picked = value.index_select(axis, (places % value.shape[axis]).reshape(-1))
    return picked.reshape(*value.shape[:axis], *places.shape, *value.shape[axis + 1 :])


OPERATORS: Mapping[str, Operator] = {
    "Add": lambda _, left, right: left + right,
    "AveragePool": _average_pool,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": lambda attributes, *parts: torch.cat(parts, attributes["axis"]),
    "Conv": _conv,
    "Div": lambda _, left, right: left / right,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda _, maps: maps.mean((2, 3), keepdim=True),
    "Identity": lambda _, value: value,
    "MatMul": lambda _, left, right: left @ right,
    "Mul": lambda _, left, right: left * right,
    "Pow": lambda _, value, exponent: value**exponent,
    "Range": lambda _, start, end, step: torch.arange(int(start), int(end), int(step)),
    "ReduceMean": _reduction(torch.mean),
    "ReduceSum": _reduction(torch.sum),
    "Relu": lambda _, value: value.relu(),
    "Reshape": _reshape,
    "Shape": _shape,
    "Sigmoid": lambda _, value: value.sigmoid(),
    "Sqrt": lambda _, value: value.sqrt(),
    "Squeeze": _squeeze,
    "Sub": lambda _, left, right: left - right,
    "Transpose": lambda attributes, value: value.permute(attributes["perm"]),
    "Unsqueeze": _unsqueeze,
}
"""The operators by their ONNX names."""
