"""Reads the input tensors of the Open Inference Protocol: a request's pairs and its claim."""

import struct
from collections.abc import Sequence
from math import prod

from semsim.exceptions import InvalidRequest
from semsim.protos.inference import grpc_predict_v2_pb2 as pb
from semsim_service.core.claim import Claim
from semsim_service.core.pairing import match_pairs
from semsim_service.core.received import ImageInput, ReceivedPair
from semsim_service.grpc_transport.calls.raw_images import CHANNELS, claim_of_tensors, view_images
from semsim_service.settings import Limits

ORIGINALS = "originals"
RECONSTRUCTIONS = "reconstructions"

_LENGTH = struct.Struct("<I")
_Tensor = pb.ModelInferRequest.InferInputTensor


def read_pairs(request: pb.ModelInferRequest, limits: Limits) -> list[ReceivedPair]:
    """The pairs of a request, raw images as views of its bytes.

    Raises:
        InvalidRequest: the inputs are not the model's, or the shape, type and elements of one do not fit together.
        TooManyPairs: the request has more pairs than the limit.
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
    """The claim of a request, by the shapes of its tensors."""
    shapes = [tuple(tensor.shape) for tensor in request.inputs]
    pairs = max((shape[0] for shape in shapes if shape), default=1)
    raw = shapes and all(tensor.datatype == "UINT8" for tensor in request.inputs) and {*map(len, shapes)} == {4}
    # There may be more pixels than the shapes say, where they come as numbers.
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
    if len(shape) != rank or min(shape) < 1 or (rank > 1 and shape[3] != CHANNELS):
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
    """The pixels that came as numbers. Their count is checked before any is read."""
    numbers = tensor.contents.uint_contents
    if len(numbers) != expected:
        raise InvalidRequest(f"expected {expected} numbers for {tensor.name}, got {len(numbers)}")
    try:
        return bytes(numbers)
    except ValueError:
        raise InvalidRequest(f"expected {tensor.name} of 0..255, got a larger number") from None


def _read_elements(name: str, raw: bytes) -> list[bytes]:
    """The elements of a BYTES tensor. Each is its length, four bytes little-endian, and then its bytes."""
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
