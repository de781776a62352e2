"""Every kind of malformed input: the function that makes it, how it is sent, its share."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

from benchmarks.malformed.inputs import generated, grpc_calls, http_bodies, scripts
from benchmarks.malformed.inputs.corpus import Corpus


class Lane(StrEnum):
    """The ways in which inputs are sent."""

    REQUESTS = "HTTP, whole requests"
    SCRIPTS = "HTTP, raw connections"
    CALLS = "gRPC, calls"
    BYTES = "gRPC, raw connections"


@dataclass(frozen=True, slots=True)
class InputKind:
    """One kind of input."""

    name: str
    lane: Lane
    share: float
    """The share of all inputs, in relation to the other kinds."""
    makes: Callable[..., Any]
    """Makes one input from a generator and the corpus, or makes many ``together`` from a count and a seed."""
    together: bool = False

    def make(self, seed: int, corpus: Corpus, first: int, count: int) -> list[Any]:
        """Some inputs, the same for the same seed and numbers."""
        if self.together:
            return list(self.makes(count, seed * 1000 + first))
        return [self.makes(Random(f"{seed}/{self.name}/{first + i}"), corpus) for i in range(count)]


KINDS = (
    InputKind("json damaged", Lane.REQUESTS, 9, http_bodies.json_damaged),
    InputKind("json reshaped", Lane.REQUESTS, 6, http_bodies.json_reshaped),
    InputKind("json odd", Lane.REQUESTS, 4, http_bodies.json_odd),
    InputKind("json doubled", Lane.REQUESTS, 2, http_bodies.json_doubled),
    InputKind("base64 odd", Lane.REQUESTS, 4, http_bodies.base64_odd),
    InputKind("multipart damaged", Lane.REQUESTS, 8, http_bodies.multipart_damaged),
    InputKind("multipart odd", Lane.REQUESTS, 5, http_bodies.multipart_odd),
    InputKind("multipart boundaries", Lane.REQUESTS, 0.2, http_bodies.multipart_boundaries),
    InputKind("image damaged", Lane.REQUESTS, 8, http_bodies.image_damaged),
    InputKind("image judged", Lane.REQUESTS, 4, http_bodies.image_judged),
    InputKind("image laborious", Lane.REQUESTS, 0.5, http_bodies.image_laborious),
    InputKind("tensor wrong", Lane.REQUESTS, 8, http_bodies.tensor_wrong),
    InputKind("headers odd", Lane.REQUESTS, 6, http_bodies.headers_odd),
    InputKind("front door", Lane.REQUESTS, 3, http_bodies.front_door),
    InputKind("hypothesis", Lane.REQUESTS, 4, generated.from_strategies, together=True),
    InputKind("schemathesis", Lane.REQUESTS, 0.4, generated.from_openapi, together=True),
    InputKind("request line", Lane.SCRIPTS, 3, scripts.request_line),
    InputKind("header lines", Lane.SCRIPTS, 3, scripts.header_lines),
    InputKind("lengths", Lane.SCRIPTS, 3, scripts.lengths),
    InputKind("chunks", Lane.SCRIPTS, 3, scripts.chunks),
    InputKind("cut", Lane.SCRIPTS, 2, scripts.cut),
    InputKind("slow", Lane.SCRIPTS, 0.5, scripts.slow),
    InputKind("pipelined", Lane.SCRIPTS, 1, scripts.pipelined),
    InputKind("not http", Lane.SCRIPTS, 1, scripts.not_http),
    InputKind("grpc noise", Lane.CALLS, 4, grpc_calls.noise),
    InputKind("grpc damaged", Lane.CALLS, 6, grpc_calls.damaged),
    InputKind("grpc packed", Lane.CALLS, 1, grpc_calls.packed),
    InputKind("grpc tensors", Lane.CALLS, 5, grpc_calls.tensors),
    InputKind("grpc inferences", Lane.CALLS, 3, grpc_calls.inferences),
    InputKind("grpc methods", Lane.CALLS, 1, grpc_calls.methods),
    InputKind("grpc metadata", Lane.CALLS, 1, grpc_calls.metadata),
    InputKind("grpc streams", Lane.CALLS, 2, grpc_calls.streams),
    InputKind("grpc oversized", Lane.CALLS, 0.1, grpc_calls.oversized),
    InputKind("http2 noise", Lane.BYTES, 1.5, scripts.http2_noise),
    InputKind("http2 calls", Lane.BYTES, 1.5, scripts.http2_calls),
)
