"""Every kind of malformed input: what makes it, how it is sent, its share."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from benchmarks.endurance.inputs import generated, grpc_calls, http2_scripts, http_bodies, http_scripts
from benchmarks.endurance.inputs.corpus import Corpus


class Lane(StrEnum):
    """How inputs are sent."""

    REQUESTS = "HTTP, whole requests"
    SCRIPTS = "HTTP, raw connections"
    CALLS = "gRPC, calls"
    BYTES = "gRPC, raw connections"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind; either ``makes`` one input at a time, or ``makes_all`` of a block at once, from a number."""

    name: str
    lane: Lane
    share: float
    """Of all inputs, in relation to the other kinds."""
    makes: Callable[[Random, Corpus], object] | None = None
    makes_all: Callable[[int, int], list[bytes]] | None = None


KINDS = (
    Kind("json damaged", Lane.REQUESTS, 9, http_bodies.json_damaged),
    Kind("json reshaped", Lane.REQUESTS, 6, http_bodies.json_reshaped),
    Kind("json odd", Lane.REQUESTS, 4, http_bodies.json_odd),
    Kind("base64 odd", Lane.REQUESTS, 4, http_bodies.base64_odd),
    Kind("multipart damaged", Lane.REQUESTS, 8, http_bodies.multipart_damaged),
    Kind("multipart odd", Lane.REQUESTS, 5, http_bodies.multipart_odd),
    Kind("image damaged", Lane.REQUESTS, 8, http_bodies.image_damaged),
    Kind("tensor wrong", Lane.REQUESTS, 8, http_bodies.tensor_wrong),
    Kind("headers odd", Lane.REQUESTS, 6, http_bodies.headers_odd),
    Kind("hypothesis", Lane.REQUESTS, 4, makes_all=generated.from_strategies),
    Kind("schemathesis", Lane.REQUESTS, 0.4, makes_all=generated.from_openapi),
    Kind("request line", Lane.SCRIPTS, 3, http_scripts.request_line),
    Kind("header lines", Lane.SCRIPTS, 3, http_scripts.header_lines),
    Kind("lengths", Lane.SCRIPTS, 3, http_scripts.lengths),
    Kind("chunks", Lane.SCRIPTS, 3, http_scripts.chunks),
    Kind("cut", Lane.SCRIPTS, 2, http_scripts.cut),
    Kind("slow", Lane.SCRIPTS, 0.5, http_scripts.slow),
    Kind("pipelined", Lane.SCRIPTS, 1, http_scripts.pipelined),
    Kind("not http", Lane.SCRIPTS, 1, http_scripts.not_http),
    Kind("grpc noise", Lane.CALLS, 4, grpc_calls.noise),
    Kind("grpc damaged", Lane.CALLS, 6, grpc_calls.damaged),
    Kind("grpc packed", Lane.CALLS, 1, grpc_calls.packed),
    Kind("grpc tensors", Lane.CALLS, 5, grpc_calls.tensors),
    Kind("grpc inferences", Lane.CALLS, 3, grpc_calls.inferences),
    Kind("grpc methods", Lane.CALLS, 1, grpc_calls.methods),
    Kind("grpc metadata", Lane.CALLS, 1, grpc_calls.metadata),
    Kind("grpc streams", Lane.CALLS, 2, grpc_calls.streams),
    Kind("grpc oversized", Lane.CALLS, 0.1, grpc_calls.oversized),
    Kind("http2 noise", Lane.BYTES, 1.5, http2_scripts.http2_noise),
    Kind("http2 calls", Lane.BYTES, 1.5, http2_scripts.http2_calls),
)
