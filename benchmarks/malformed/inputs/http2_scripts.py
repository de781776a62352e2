"""Bytes to the gRPC port that are no gRPC, or no HTTP/2."""

import struct
from random import Random

from benchmarks.harness.grpc_messages import SCORE
from benchmarks.harness.http2 import END_HEADERS, PREFACE, Frame, FrameType, call_fields, header_block
from benchmarks.malformed.inputs.corpus import Corpus, mutate
from benchmarks.malformed.inputs.http_scripts import Script

_KINDS = 10
_SETTINGS = Frame(FrameType.SETTINGS).encode()
_BEGIN = PREFACE + _SETTINGS


def http2_noise(rng: Random, corpus: Corpus) -> Script:
    """Garbage, with or without HTTP/2's preface, and HTTP/1.1."""
    frames = b""
    for _ in range(5):
        kind, flags, stream = rng.randrange(_KINDS + 3), rng.randrange(256), rng.choice((0, 1, 2, 3))
        frames += Frame(kind, flags, stream, rng.randbytes(rng.randrange(40))).encode()
    data = (
        *(rng.randbytes(rng.randint(1, 2000)), PREFACE + rng.randbytes(300), PREFACE[: rng.randrange(24)]),
        *(mutate(rng, _BEGIN), PREFACE + frames, PREFACE + _SETTINGS * rng.randint(1, 500)),
        _BEGIN + Frame(FrameType.DATA, 0, 1, b"x").encode(length=2**24 - 1),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /semsim.v1.Scorer/Score HTTP/1.1\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0",
        b"\x16\x03\x01\x00\xf1\x01" + rng.randbytes(60),
    )
    return Script((rng.choice(data),), ends=True)


def http2_calls(rng: Random, corpus: Corpus) -> Script:
    """Calls by hand: messages whose length is wrong, compressed ones that are not, bad header blocks, resets."""
    message = rng.choice(corpus.batches)
    size = len(message)
    lengths = ((0, size), (1, size), (0, size - 1), (0, size + 9), (0, 2**32 - 1), (7, size))
    prefix = rng.choice((*(struct.pack(">BI", *length) for length in lengths), b"", b"\0"))
    right = _headers(SCORE.encode())
    odd = header_block([(b"x-request-id", b"\xd0\xff")], mark=0x10)
    # The second one stops grpcio's asyncio server, unless it is kept from it.
    paths = _headers(b"/x"), _headers(b"/semsim.v1.Scorer/Sco\xd0re")
    block = rng.choice((right, *paths, right + odd, mutate(rng, right), b"\x80" * 20, b""))
    call = Frame(FrameType.HEADERS, END_HEADERS, 1, block).encode()
    call += Frame(FrameType.DATA, rng.choice((0, 1, 1)), 1, prefix + message).encode()
    ends = (
        b"",
        Frame(FrameType.RST_STREAM, 0, 1, b"\0\0\0\x08").encode(),
        Frame(FrameType.GOAWAY, payload=b"\0" * 8).encode(),
        Frame(FrameType.PING, payload=b"\0" * 8).encode() * rng.randint(1, 50),
        Frame(FrameType.WINDOW_UPDATE, payload=b"\x7f\xff\xff\xff").encode() * 3,
    )
    return Script((_BEGIN + call + rng.choice(ends),), ends=True)


def _headers(path: bytes) -> bytes:
    return header_block(call_fields(path, b"x"), mark=0x10)
