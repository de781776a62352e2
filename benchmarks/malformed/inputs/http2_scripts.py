"""Bytes to the gRPC port that are no gRPC, or no HTTP/2."""

import struct
from random import Random

from benchmarks.harness.http2 import END_HEADERS, PREFACE, Frame, FrameType, call_fields, header_block
from benchmarks.malformed.inputs.corpus import Corpus, mutate
from benchmarks.malformed.inputs.http_scripts import Script

_KINDS = 10
_SETTINGS = Frame(FrameType.SETTINGS).encode()


def http2_noise(rng: Random, corpus: Corpus) -> Script:
    """Garbage, with or without HTTP/2's preface, and HTTP/1.1."""
    data = (
        rng.randbytes(rng.randint(1, 2000)),
        PREFACE + rng.randbytes(300),
        PREFACE[: rng.randrange(24)],
        mutate(rng, PREFACE + _SETTINGS),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /semsim.v1.Scorer/Score HTTP/1.1\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0",
        b"\x16\x03\x01\x00\xf1\x01" + rng.randbytes(60),
        PREFACE + b"".join(_noise_frame(rng) for _ in range(5)),
        PREFACE + _SETTINGS + Frame(FrameType.DATA, 0, 1, b"x").encode(length=2**24 - 1),
        PREFACE + _SETTINGS * rng.randint(1, 500),
    )
    return Script((rng.choice(data),), ends=True)


def _noise_frame(rng: Random) -> bytes:
    kind, flags, stream = rng.randrange(_KINDS + 3), rng.randrange(256), rng.choice((0, 1, 2, 3))
    return Frame(kind, flags, stream, rng.randbytes(rng.randrange(40))).encode()


def http2_calls(rng: Random, corpus: Corpus) -> Script:
    """Calls by hand: messages whose length is wrong, compressed ones that are not, bad header blocks, resets."""
    message = rng.choice(corpus.batches)
    size = len(message)
    prefixes = ((0, size), (1, size), (0, size - 1), (0, size + 9), (0, 2**32 - 1), (7, size), b"", b"\0")
    prefix = rng.choice(prefixes)
    body = (prefix if isinstance(prefix, bytes) else struct.pack(">BI", *prefix)) + message
    right = _headers(b"/semsim.v1.Scorer/Score")
    block = rng.choice(
        (
            right,
            _headers(b"/x"),
            _headers(b"/semsim.v1.Scorer/Sco\xd0re"),  # stops grpcio's asyncio server, unless it is kept from it
            right + header_block([(b"x-request-id", b"\xd0\xff")], mark=0x10),
            mutate(rng, right),
            b"\x80" * 20,
            b"",
        )
    )
    call = Frame(FrameType.HEADERS, END_HEADERS, 1, block).encode()
    call += Frame(FrameType.DATA, rng.choice((0, 1, 1)), 1, body).encode()
    ends = (
        b"",
        Frame(FrameType.RST_STREAM, 0, 1, b"\0\0\0\x08").encode(),
        Frame(FrameType.GOAWAY, payload=b"\0" * 8).encode(),
        Frame(FrameType.PING, payload=b"\0" * 8).encode() * rng.randint(1, 50),
        Frame(FrameType.WINDOW_UPDATE, payload=b"\x7f\xff\xff\xff").encode() * 3,
    )
    return Script((PREFACE + _SETTINGS + call + rng.choice(ends),), ends=True)


def _headers(path: bytes) -> bytes:
    return header_block(call_fields(path, b"x"), mark=0x10)
