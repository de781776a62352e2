"""Bytes to the gRPC port that are no gRPC, or no HTTP/2."""

import struct
from random import Random

from benchmarks.endurance.inputs.corpus import Corpus, mutate
from benchmarks.endurance.inputs.http_scripts import Script

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_KINDS = 10


def frame(kind: int, flags: int, stream: int, payload: bytes, *, length: int | None = None) -> bytes:
    """One HTTP/2 frame; ``length`` where it shall say another length than it has."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """One header field, literal and never indexed (RFC 7541, 6.2.3), shorter than 127 bytes each."""
    return b"\x10" + bytes((len(name),)) + name + bytes((len(value),)) + value


def headers(path: bytes) -> bytes:
    """The header block of a gRPC call."""
    fields = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"x"),
        (b"te", b"trailers"),
    )
    return b"".join(literal(*field) for field in (*fields, (b"content-type", b"application/grpc")))


def http2_noise(rng: Random, corpus: Corpus) -> Script:
    """Garbage, with or without HTTP/2's preface, and HTTP/1.1."""
    settings = frame(4, 0, 0, b"")
    data = (
        rng.randbytes(rng.randint(1, 2000)),
        _PREFACE + rng.randbytes(300),
        _PREFACE[: rng.randrange(24)],
        mutate(rng, _PREFACE + settings),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /semsim.v1.Scorer/Score HTTP/1.1\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0",
        b"\x16\x03\x01\x00\xf1\x01" + rng.randbytes(60),
        _PREFACE
        + b"".join(
            frame(
                rng.randrange(_KINDS + 3),
                rng.randrange(256),
                rng.choice((0, 1, 2, 3)),
                rng.randbytes(rng.randrange(40)),
            )
            for _ in range(5)
        ),
        _PREFACE + settings + frame(0, 0, 1, b"x", length=2**24 - 1),
        _PREFACE + settings * rng.randint(1, 500),
    )
    return Script((rng.choice(data),), ends=True)


def http2_calls(rng: Random, corpus: Corpus) -> Script:
    """Calls by hand: messages whose length is wrong, compressed ones that are not, bad header blocks, resets."""
    begin = _PREFACE + frame(4, 0, 0, b"")
    message = rng.choice(corpus.batches)
    prefixes = (
        struct.pack(">BI", 0, len(message)),
        struct.pack(">BI", 1, len(message)),
        struct.pack(">BI", 0, len(message) - 1),
        struct.pack(">BI", 0, len(message) + 9),
        struct.pack(">BI", 0, 2**32 - 1),
        struct.pack(">BI", 7, len(message)),
        b"",
        b"\0",
    )
    body = rng.choice(prefixes) + message
    block = rng.choice(
        (
            headers(b"/semsim.v1.Scorer/Score"),
            headers(b"/x"),
            mutate(rng, headers(b"/semsim.v1.Scorer/Score")),
            b"\x80" * 20,
            b"",
        )
    )
    call = frame(1, 4, 1, block) + frame(0, rng.choice((0, 1, 1)), 1, body)
    ends = (
        b"",
        frame(3, 0, 1, b"\0\0\0\x08"),
        frame(7, 0, 0, b"\0" * 8),
        frame(6, 0, 0, b"\0" * 8) * rng.randint(1, 50),
        frame(8, 0, 0, b"\x7f\xff\xff\xff") * 3,
    )
    return Script((begin + call + rng.choice(ends),), ends=True)
