"""Parsing a message has a bounded cost."""

from collections.abc import Callable

import numpy as np
import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from semsim.exceptions import InvalidRequest, TooManyPairs
from semsim.protos.inference import grpc_predict_v2_pb2 as oip
from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim_service.grpc_transport.calls.wire import parse
from semsim_service.settings import Limits
from tests.service.grpc_transport.running import raw_batch

LIMITS = Limits()
PARTS = 40_000


def nested(tags: bytes, inside: bytes) -> bytes:
    """``inside`` within length-delimited fields, the last tag innermost."""
    for tag in reversed(tags):
        size, length = len(inside), b""
        while size > 0x7F:
            length += bytes([size & 0x7F | 0x80])
            size >>= 7
        inside = bytes([tag]) + length + bytes([size]) + inside
    return inside


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (pb.ScoreRequest, b"\x0a\0" * PARTS),  # pairs
        (pb.ScoreRequest, nested(b"\x1a", b"\x1a\0" * PARTS)),  # ids of a batch
        (pb.ScoreStreamRequest, nested(b"\x12\x1a", b"\x1a\0" * PARTS)),
        (oip.ModelInferRequest, b"\x2a\0" * PARTS),  # inputs
        (oip.ModelInferRequest, b"\x3a\0" * PARTS),  # raw contents
        (oip.ModelInferRequest, b"\x22\0" * PARTS),  # parameters
        (oip.ModelInferRequest, nested(b"\x2a\x1a", b"\1" * 2 * PARTS)),  # a shape, packed
        (oip.ModelInferRequest, nested(b"\x2a\x2a\x32", bytes(2 * PARTS))),  # fp32_contents, packed
        (oip.ModelInferRequest, nested(b"\x2a\x2a", b"\x42\0" * PARTS)),  # bytes_contents
    ],
)
def test_messages_that_would_grow(kind: type[Message], data: bytes) -> None:
    """Tens of thousands of tiny parts are refused before they become objects."""
    assert len(data) > 2**16
    with pytest.raises(TooManyPairs, match="far more parts"):
        parse(kind, data, LIMITS)


def test_pixels_as_numbers_are_not_parts() -> None:
    """A large tensor of typed contents is one field."""
    contents = oip.InferTensorContents(uint_contents=[200] * 10**5)
    request = oip.ModelInferRequest(inputs=[oip.ModelInferRequest.InferInputTensor(contents=contents)])
    assert parse(oip.ModelInferRequest, request.SerializeToString(), LIMITS) == request


def largest_pairs() -> pb.ScoreRequest:
    """A request with as many pairs as the limit, each with all that it can have."""
    image = pb.Image(raw=pb.RawImage(pixels=bytes(147), height=7, width=7))
    pair = pb.Pair(id="x" * 256, original=image, reconstruction=image)
    return pb.ScoreRequest(pairs=[pair] * LIMITS.pairs, original=image)


def largest_batch() -> pb.ScoreRequest:
    """A batch with as many images and ids as the limit."""
    images = np.zeros((LIMITS.pairs, 16, 16, 3), np.uint8)
    return raw_batch(images, images, ("x" * 256,) * LIMITS.pairs)


def largest_files() -> oip.ModelInferRequest:
    """A request with as many typed files as the limit."""
    contents = oip.InferTensorContents(bytes_contents=[bytes(300)] * LIMITS.pairs)
    tensor = oip.ModelInferRequest.InferInputTensor(contents=contents, shape=[LIMITS.pairs], datatype="BYTES")
    return oip.ModelInferRequest(inputs=[tensor, tensor])


@pytest.mark.parametrize("make", [largest_pairs, largest_batch, largest_files])
def test_the_largest_requests_pass(make: Callable[[], Message]) -> None:
    """Whatever the limit of pairs allows is within the bound."""
    request = make()
    data = request.SerializeToString()
    assert len(data) > 2**16
    assert parse(type(request), data, LIMITS) == request


@settings(deadline=None)  # a busy machine is no fault
@given(data=st.binary(max_size=300), at=st.integers(0, 70_000))
def test_any_bytes_are_parsed_or_refused(data: bytes, at: int) -> None:
    """Any bytes are parsed or refused, also within a large message, whose parts are counted first."""
    image = pb.Image(encoded=bytes(70_000))
    good = pb.ScoreRequest(pairs=[pb.Pair(original=image)]).SerializeToString()
    for sent in (data, good[:at] + data + good[at:]):
        try:
            parse(pb.ScoreRequest, sent, LIMITS)
        except (InvalidRequest, TooManyPairs) as error:
            assert "expected" in str(error)
