"""Scripts of what is written to a connection of its own: no whole HTTP, no HTTP at all, no HTTP/2, no gRPC."""

import struct
from dataclasses import dataclass
from random import Random

from benchmarks.harness.http2 import ACK, END_HEADERS, PREFACE, Frame, FrameType, call_headers, literal
from benchmarks.harness.messages import JSON_TYPE, SCORE, request_bytes
from benchmarks.malformed.inputs.corpus import Corpus, mutate

_GOOD = b'{"pairs":[]}'
_HEAD = b"POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
_SETTINGS = Frame(FrameType.SETTINGS).encode()
_BEGIN = PREFACE + _SETTINGS
_ACK, _RESET = Frame(FrameType.SETTINGS, ACK).encode(), b"\0\0\0\x08"


@dataclass(frozen=True, slots=True)
class Script:
    """Pieces to write, with a pause before each but the first."""

    pieces: tuple[bytes, ...]
    pause_seconds: float = 0.0
    ends: bool = False
    """The client says that nothing more will come, where no answer comes at once after the last piece."""
    drops: bool = False
    """True where the client is gone after the last piece."""
    due: int = 0
    """The number of answers that must come in any case."""


def request_line(rng: Random, corpus: Corpus) -> Script:
    """A request line that is none."""
    lines = (
        *(b"POST /score HTTP/9.9", b"GET / HTTP/0.9", b"PRI * HTTP/2.0"),  # other versions
        *(b"", b"GET", b"GARBAGE", b"POST /score", b"POST /score HTTP/1.1 extra"),  # too few words, too many
        *(b"POST  /score HTTP/1.1", b"POST /sc ore HTTP/1.1", b"POST /\xff\x00 HTTP/1.1", b"post /score HTTP/1.1"),
        *(b"CONNECT x:80 HTTP/1.1", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        *(b"POST /" + b"p" * rng.randint(8000, 80000) + b" HTTP/1.1", b"P" * rng.randint(100, 5000)),
        *(mutate(rng, b"POST /score HTTP/1.1"), rng.randbytes(rng.randint(1, 300))),
    )
    return Script((rng.choice(lines) + b"\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",), ends=True)


def header_lines(rng: Random, corpus: Corpus) -> Script:
    """Header lines that are none, too long or too many."""
    lines = (
        *(b"No colon", b": no name", b"Bad name: x", b" folded: x", b"Host: a\r\nHost: b"),
        *(b"X: \x00", b"X: a\rb", b"X:\x01\x02\x03", b"\xff\xfe: \xff"),  # bytes that no header has
        *(b"X: " + b"v" * rng.randint(10_000, 200_000), b"N" * rng.randint(10_000, 100_000) + b": x"),
        b"\r\n".join(b"X-%d: y" % i for i in range(rng.randint(100, 3000))),
        *(b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x", b"Upgrade: h2c\r\nConnection: Upgrade"),
        mutate(rng, b"X-Header: value\r\nAnother: one"),
    )
    return Script((_HEAD + rng.choice(lines) + b"\r\nContent-Length: %d\r\n\r\n" % len(_GOOD) + _GOOD,), ends=True)


def lengths(rng: Random, corpus: Corpus) -> Script:
    """Lengths that are wrong, two that differ, or both kinds at once."""
    values = (
        *(b"-1", b"+12", b"0x0c", b"1e1", b"1 2", b"", b"12, 12", b"12\x00", b"99999999999"),
        b"9" * rng.randint(18, 400),
    )
    framings = (
        *(b"Content-Length: " + value for value in values),
        *(b"Content-Length: 12\r\nContent-Length: 13", b"Content-Length: 12\r\nTransfer-Encoding: chunked"),
        *(b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"Transfer-Encoding: chunked, identity"),
        *(b"Transfer-Encoding: gzip", b"Transfer-Encoding: xchunked", b"Transfer-Encoding:\x0bchunked"),
    )
    return Script((_HEAD + rng.choice(framings) + b"\r\n\r\n" + _GOOD,), ends=True)


def chunks(rng: Random, corpus: Corpus) -> Script:
    """Chunked bodies that are not."""
    body = b"c\r\n" + _GOOD + b"\r\n0\r\n\r\n"
    bodies = (
        *(b"zz\r\n" + _GOOD, b"-1\r\n", b"\r\n\r\n", b"ffffffffffffffff\r\n" + _GOOD),  # sizes that are none
        *(b"b\r\n" + body[3:], b"c\n" + _GOOD + b"\n0\n\n", body[:-4]),  # a wrong size, wrong line ends, no end
        *(b"0" * rng.randint(1, 5000) + body, b"c" + b";x" * rng.randint(1, 20_000) + body[1:]),
        b"1\r\n{\r\n" * rng.randint(1, 5000) + b"0\r\n\r\n",
        *(b"0\r\nX-Trailer: y\r\n\r\n", b"0\r\n" + b"T: t\r\n" * 3000 + b"\r\n"),
        *(mutate(rng, body), rng.randbytes(100)),
    )
    return Script((_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + rng.choice(bodies),), ends=True)


def cut(rng: Random, corpus: Corpus) -> Script:
    """A right request that ends within its head or its body: the client is gone, or says that it has ended."""
    request = request_bytes({"Content-Type": JSON_TYPE}, b'{"pairs":[' + b" " * rng.randint(0, 5000) + b"]}")
    gone = rng.random() < 0.5
    return Script((request[: rng.randrange(len(request))],), ends=not gone, drops=gone)


def slow(rng: Random, corpus: Corpus) -> Script:
    """A request that comes a few bytes at a time: right, and answered, or given up."""
    request = request_bytes({"Content-Type": JSON_TYPE}, _GOOD)
    step = rng.randint(2, 30)
    pieces = tuple(request[i : i + step] for i in range(0, len(request), step))
    if rng.random() < 0.5:
        return Script(pieces[: rng.randint(1, len(pieces) - 1)], pause_seconds=0.01, drops=True)
    return Script(pieces, pause_seconds=0.01, due=1)


def pipelined(rng: Random, corpus: Corpus) -> Script:
    """Right requests in one piece, all answered whatever they would upgrade to; garbage behind them may undo them."""
    count = rng.randint(1, 12)
    asked = rng.choice(({}, {"Connection": "Upgrade", "Upgrade": rng.choice(("h2c", "websocket", "x"))}))
    good = request_bytes({"Content-Type": JSON_TYPE, **asked}, _GOOD)
    tail = rng.choice((b"\0garbage\r\n\r\n", b"POST /score HTTP/9.9\r\n\r\n", b"", rng.randbytes(50)))
    return Script((good * count + tail,), due=0 if tail else count, ends=bool(tail))


def not_http(rng: Random, corpus: Corpus) -> Script:
    """Other protocols, and noise."""
    data = (
        *(b"SSH-2.0-x\r\n", b"*1\r\n$4\r\nPING\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"),
        b"\x16\x03\x01\x00\xf1\x01\x00\x00\xed\x03\x03" + rng.randbytes(200),
        *(b"\n", b"\r\n" * rng.randint(1, 2000), b"\0" * rng.randint(1, 5000), rng.randbytes(rng.randint(1, 5000))),
    )
    return Script((rng.choice(data),), ends=True)


def http2_noise(rng: Random, corpus: Corpus) -> Script:
    """Garbage, with or without HTTP/2's preface, and HTTP/1.1."""
    frames = b""
    for _ in range(5):
        kind, flags, stream = rng.randrange(13), rng.randrange(256), rng.choice((0, 1, 2, 3))
        frames += Frame(kind, flags, stream, rng.randbytes(rng.randrange(40))).encode()
    data = (
        *(rng.randbytes(rng.randint(1, 2000)), PREFACE + rng.randbytes(300), PREFACE[: rng.randrange(24)]),
        *(mutate(rng, _BEGIN), PREFACE + frames, PREFACE + _SETTINGS * rng.randint(1, 500)),
        _BEGIN + Frame(FrameType.DATA, 0, 1, b"x").encode(length=2**24 - 1),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /semsim.v1.Scorer/Score HTTP/1.1\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0",
        b"\x16\x03\x01\x00\xf1\x01" + rng.randbytes(60),
    )
    return Script((rng.choice(data),), ends=True)


def http2_calls(rng: Random, corpus: Corpus) -> Script:
    """Calls by hand: messages whose length is wrong, compressed ones that are not, bad header blocks, resets."""
    message = rng.choice(corpus.batch_messages)
    size = len(message)
    lengths = ((0, size), (1, size), (0, size - 1), (0, size + 9), (0, 2**32 - 1), (7, size))
    prefix = rng.choice((*(struct.pack(">BI", *length) for length in lengths), b"", b"\0"))
    right = call_headers(rng.choice((SCORE, SCORE, "/grpc.health.v1.Health/Check")).encode())
    odd = literal(b"x-request-id", b"\xd0\xff"), literal(b"authorization", b"Bearer x") * 2
    packed = (literal(b"grpc-encoding", encoding) for encoding in (b"gzip", b"deflate", b"x"))
    # grpcio's own asyncio server stops at the second one.
    paths = call_headers(b"/x"), call_headers(b"/semsim.v1.Scorer/Sco\xd0re")
    thousands = b"\x40\x01x\x01y" + b"\xbe" * rng.randint(100, 6000)  # one header, and a byte for each time again
    blocks = (*(right + more for more in (*odd, *packed, thousands)), *paths, mutate(rng, right), b"\x80" * 20, b"")
    block = rng.choice((right, right, *blocks))
    call = Frame(FrameType.HEADERS, END_HEADERS, 1, block).encode()
    call += Frame(FrameType.DATA, rng.choice((0, 1, 1)), 1, prefix + message).encode()
    both = (((FrameType.HEADERS, END_HEADERS), right), ((FrameType.RST_STREAM, 0), _RESET))
    ends = (
        b"",
        Frame(FrameType.RST_STREAM, 0, 1, _RESET).encode(),
        b"".join(
            Frame(*kind, stream, data).encode() for stream in range(3, rng.randint(5, 600), 2) for kind, data in both
        ),
        Frame(FrameType.GOAWAY, payload=b"\0" * 8).encode(),
        Frame(FrameType.PING, payload=b"\0" * 8).encode() * rng.randint(1, 50),
        Frame(FrameType.WINDOW_UPDATE, payload=b"\x7f\xff\xff\xff").encode() * 3,
    )
    return Script((_BEGIN, rng.choice((_ACK, _ACK, b"")) + call + rng.choice(ends)), pause_seconds=0.02, ends=True)
