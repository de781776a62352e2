"""The ONNX graph of an embedding network, in one of four precisions."""

import copy
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

from semsim.manifest import InputSpec, Precision
from semsim.providers import INPUT_NAME, OUTPUT_NAME
from semsim_training.embedding import EmbeddingNetwork

OPSET = 20

_SMALL_TENSOR = 256
"""The number of values under which storing a tensor, such as a bias, in half precision saves nothing."""


def to_onnx(
    network: EmbeddingNetwork, images: InputSpec, precision: Precision, calibration: NDArray[np.uint8]
) -> bytes:
    """The network as a serialised ONNX graph, uint8 ``[N, H, W, 3]`` to float32 ``[N, D]``, N free.

    ``fp16-weights`` stores the weights in half precision and computes in single, which a CPU does fastest; ``fp16``
    also computes the backbone in half. ``int8`` quantises dense convolutions, statically, with the ranges that the
    ``calibration`` images ``(M, H, W, 3)`` of the input size give; other precisions ignore these images.
    """
    if precision == "fp16":
        network = copy.deepcopy(network)
        network.backbone.half()
    model = trace(network, images)
    if precision == "fp16-weights":
        model = _store_weights_in_half(model)
    if precision == "int8":
        model = quantized(model, calibration, kept_in_float(model))
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def trace(network: nn.Module, images: InputSpec) -> onnx.ModelProto:
    """A network, from uint8 images ``(N, H, W, 3)`` to float32 ``(N, D)``, as a graph of single precision, N free."""
    # There are two images, since a batch of one would be taken for a constant.
    example = torch.zeros((2, images.height, images.width, 3), dtype=torch.uint8)
    program = torch.onnx.export(
        network,
        (example,),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("N")},),
        input_names=[INPUT_NAME],
        output_names=[OUTPUT_NAME],
        opset_version=OPSET,
        verbose=False,
    )
    if program is None:  # torch returns none where it was asked to write a file itself
        raise RuntimeError("torch.onnx.export returned no program")
    return anonymous(program.model_proto)


def anonymous(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop the exporter's notes, whose stack traces hold paths of the machine that exported."""
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    for value in (*model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    return model


def _store_weights_in_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large float tensors in half precision; a Cast widens each again, which ONNX Runtime does once, at load."""
    weights = [tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT]
    for tensor in weights:
        values = onnx.numpy_helper.to_array(tensor)
        if values.size < _SMALL_TENSOR:
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        model.graph.node.insert(
            0, onnx.helper.make_node("Cast", [f"{name}.half"], [name], name=f"{name}.widen", to=onnx.TensorProto.FLOAT)
        )
    return model


class _Images(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime ships no types
    """Feeds calibration images to ONNX Runtime one at a time."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._images = iter(images)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        image = next(self._images, None)
        return None if image is None else {INPUT_NAME: image[None]}


def quantized(model: onnx.ModelProto, calibration: NDArray[np.uint8], in_float: Collection[str]) -> onnx.ModelProto:
    """Quantise convolutions, statically and by channel, but those of the names ``in_float``.

    ``calibration``, images ``(M, H, W, 3)`` of the input size, gives the ranges of values.
    """
    with prepared_to_quantize(model) as (prepared, target):
        quantize_static(
            str(prepared),
            str(target),
            _Images(calibration),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=sorted(in_float),
        )
        return anonymous(onnx.load(target))


@contextmanager
def prepared_to_quantize(model: onnx.ModelProto) -> Iterator[tuple[Path, Path]]:
    """The file of a graph whose constants are folded, and the name of one beside it, until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        source, prepared, target = (Path(folder) / name for name in ("fp32.onnx", "prepared.onnx", "int8.onnx"))
        onnx.save(model, source)
        # Symbolic shape inference fails on the free batch of torch's graphs; that of ONNX is enough here.
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        yield prepared, target


def kept_in_float(model: onnx.ModelProto) -> set[str]:
    """The names of the convolutions that int8 leaves in float: rounding them costs agreement and saves little time.

    These are the first quarter, whose errors pass through all others, and the depthwise ones, which have few weights
    and wide ranges a channel.
    """
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    early = convolutions[: max(1, len(convolutions) // 4)]
    depthwise = [node for node in convolutions if any(a.name == "group" and a.i > 1 for a in node.attribute)]
    return {node.name for node in (*early, *depthwise)}
