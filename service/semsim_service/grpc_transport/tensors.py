"""The inputs of an Open Inference Protocol request as pairs."""

import struct
from collections.abc import Sequence
from math import prod

from semsim.exceptions import InvalidRequest
from semsim_service.core.claim import Claim
from semsim_service.core.matching import match_pairs
from semsim_service.core.schemas import EncodedPair, ImageInput
from semsim_service.grpc_transport.pairs import claim_of_tensors, view_images
from semsim_service.protos.inference import grpc_predict_v2_pb2 as pb
from semsim_service.settings import Limits

ORIGINALS = "originals"
RECONSTRUCTIONS = "reconstructions"

_LENGTH = struct.Struct("<I")
_Tensor = pb.ModelInferRequest.InferInputTensor


def read_pairs(request: pb.ModelInferRequest, limits: Limits) -> list[EncodedPair]:
    """The pairs of a request; pixels are views of its bytes.

    Raises:
        InvalidRequest: other inputs than the model's, or one whose shape, type and elements do not fit together.
        TooManyPairs: more than the limit.
    """
    tensors = list(request.inputs)
    if sorted(tensor.name for tensor in tensors) != [ORIGINALS, RECONSTRUCTIONS]:
        raise InvalidRequest(f"expected the inputs {ORIGINALS} and {RECONSTRUCTIONS}, got others")
    raw: Sequence[bytes | None] = request.raw_input_contents or [None] * len(tensors)
    if len(raw) != len(tensors):
        raise InvalidRequest(f"expected raw_input_contents for each of {len(tensors)} inputs or none, got {len(raw)}")
    images = {tensor.name: _read_images(tensor, content, limits) for tensor, content in zip(tensors, raw, strict=True)}
    return match_pairs(images[ORIGINALS], images[RECONSTRUCTIONS])


def claim_of(request: pb.ModelInferRequest) -> Claim:
    """What a request claims to hold, by its shapes."""
    shapes = [tuple(tensor.shape) for tensor in request.inputs]
    pairs = max((shape[0] for shape in shapes if shape), default=1)
    raw = shapes and all(tensor.datatype == "UINT8" for tensor in request.inputs) and {*map(len, shapes)} == {4}
    # Of pixels as numbers there may be more than the shapes say.
    if not (raw and request.raw_input_contents):
        return Claim(pairs)
    return claim_of_tensors([(shape[0], shape[1], shape[2]) for shape in shapes])


def _read_images(tensor: _Tensor, raw: bytes | None, limits: Limits) -> Sequence[ImageInput]:
    shape = tuple(tensor.shape)
    if raw is not None and tensor.HasField("contents"):
        raise InvalidRequest(f"expected {tensor.name} in raw_input_contents or in contents, got both")
    rank = {"UINT8": 4, "BYTES": 1}.get(tensor.datatype)
    if rank is None:
        raise InvalidRequest(f"expected {tensor.name} of UINT8 or BYTES, got another datatype")
    if len(shape) != rank or min(shape) < 1 or (rank > 1 and shape[3] != 3):
        form = "[N, H, W, 3]" if rank > 1 else "[N]"
        raise InvalidRequest(f"expected {tensor.datatype} {tensor.name} of shape {form}, got {list(shape[:8])}")
    limits.check_pairs(shape[0])
    if rank > 1:
        pixels = raw if raw is not None else _read_numbers(tensor, prod(shape))
        return list(view_images(pixels, shape[0], shape[1], shape[2], tensor.name))
    files = _read_elements(tensor.name, raw) if raw is not None else list(tensor.contents.bytes_contents)
    if len(files) != shape[0]:
        raise InvalidRequest(f"expected {shape[0]} elements of {tensor.name}, got {len(files)}")
    return files


def _read_numbers(tensor: _Tensor, expected: int) -> bytes:
    """Pixels that came as numbers; as many as expected, or none is looked at."""
    numbers = tensor.contents.uint_contents
    if len(numbers) != expected:
        raise InvalidRequest(f"expected {expected} numbers for {tensor.name}, got {len(numbers)}")
    try:
        return bytes(numbers)
    except ValueError:
        raise InvalidRequest(f"expected {tensor.name} of 0..255, got a larger number") from None


def _read_elements(name: str, raw: bytes) -> list[bytes]:
    """The elements of a BYTES tensor: of each its length, four bytes little-endian, and its bytes."""
    elements: list[bytes] = []
    at = 0
    while at < len(raw):
        if at + _LENGTH.size > len(raw):
            break
        (size,) = _LENGTH.unpack_from(raw, at)
        at += _LENGTH.size
        elements.append(raw[at : at + size])
        at += size
    if at != len(raw):
        raise InvalidRequest(f"expected {name} as lengths and bytes in turn, got {len(raw)} bytes that end within one")
    return elements
