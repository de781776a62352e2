"""What is not in order as HTTP, or not whole: scripts of what is written to a connection of its own."""

from dataclasses import dataclass
from random import Random

from benchmarks.harness.http_messages import JSON_TYPE, request_bytes
from benchmarks.malformed.inputs.corpus import Corpus, mutate

GOOD_BODY = b'{"pairs":[]}'


@dataclass(frozen=True, slots=True)
class Script:
    """Pieces to write, with a pause before each but the first."""

    pieces: tuple[bytes, ...]
    pause_seconds: float = 0.0
    ends: bool = False
    """Where no answer comes at once after the last piece, the client says that nothing more will come."""
    drops: bool = False
    """After the last piece the client is gone."""
    due: int = 0
    """Answers that must come in any case."""


def request_line(rng: Random, corpus: Corpus) -> Script:
    """A request line that is none."""
    lines = (
        b"POST /score",
        b"POST /score HTTP/9.9",
        b"POST  /score HTTP/1.1",
        b"post /score HTTP/1.1",
        b"POST /sc ore HTTP/1.1",
        b"GARBAGE",
        b"POST /score HTTP/1.1 extra",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0",
        b"POST /\xff\x00 HTTP/1.1",
        b"",
        b"GET",
        b"POST /" + b"p" * rng.randint(8000, 80000) + b" HTTP/1.1",
        b"P" * rng.randint(100, 5000),
        b"CONNECT x:80 HTTP/1.1",
        b"GET / HTTP/0.9",
        mutate(rng, b"POST /score HTTP/1.1"),
        rng.randbytes(rng.randint(1, 300)),
    )
    return Script((rng.choice(lines) + b"\r\nHost: x\r\nContent-Length: 0\r\n\r\n",), ends=True)


def header_lines(rng: Random, corpus: Corpus) -> Script:
    """Header lines that are none, too long or too many."""
    lines = (
        b"No colon",
        b": no name",
        b"Bad name: x",
        b"X: \x00",
        b"X: a\rb",
        b" folded: x",
        b"X: " + b"v" * rng.randint(10_000, 200_000),
        b"N" * rng.randint(10_000, 100_000) + b": x",
        b"\r\n".join(b"X-%d: y" % i for i in range(rng.randint(100, 3000))),
        b"\xff\xfe: \xff",
        b"Host: a\r\nHost: b",
        b"X:\x01\x02\x03",
        b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x",
        b"Upgrade: h2c\r\nConnection: Upgrade",
        mutate(rng, b"X-Header: value\r\nAnother: one"),
    )
    head = b"POST /score HTTP/1.1\r\nContent-Type: application/json\r\n" + rng.choice(lines)
    return Script((head + b"\r\nContent-Length: %d\r\n\r\n" % len(GOOD_BODY) + GOOD_BODY,), ends=True)


def lengths(rng: Random, corpus: Corpus) -> Script:
    """Lengths that are wrong, two that differ, or both kinds at once."""
    framings = (
        b"Content-Length: 12\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Content-Length: 12\r\nContent-Length: 13",
        b"Content-Length: -1",
        b"Content-Length: +12",
        b"Content-Length: 0x0c",
        b"Content-Length: 1e1",
        b"Content-Length: 12, 12",
        b"Content-Length:",
        b"Content-Length: " + b"9" * rng.randint(18, 400),
        b"Content-Length: 99999999999",
        b"Content-Length: 1 2",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding:\x0bchunked",
        b"Content-Length: 12\x00",
    )
    head = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + rng.choice(framings)
    return Script((head + b"\r\n\r\n" + GOOD_BODY,), ends=True)


def chunks(rng: Random, corpus: Corpus) -> Script:
    """Chunked bodies that are not."""
    body = b"c\r\n" + GOOD_BODY + b"\r\n0\r\n\r\n"
    bodies = (
        b"zz\r\n" + GOOD_BODY,
        b"-1\r\n",
        b"ffffffffffffffff\r\n" + GOOD_BODY,
        b"c" + b";x" * rng.randint(1, 20_000) + b"\r\n" + GOOD_BODY + b"\r\n0\r\n\r\n",
        b"c\n" + GOOD_BODY + b"\n0\n\n",
        b"b\r\n" + GOOD_BODY + b"\r\n0\r\n\r\n",
        b"0" * rng.randint(1, 5000) + b"c\r\n" + GOOD_BODY + b"\r\n0\r\n\r\n",
        b"1\r\n{\r\n" * rng.randint(1, 5000) + b"0\r\n\r\n",
        b"0\r\nX-Trailer: y\r\n\r\n",
        body[:-4],
        b"\r\n\r\n",
        b"0\r\n" + b"T: t\r\n" * 3000 + b"\r\n",
        mutate(rng, body),
        rng.randbytes(100),
    )
    head = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return Script((head + rng.choice(bodies),), ends=True)


def cut(rng: Random, corpus: Corpus) -> Script:
    """A right request that ends within its head or its body: the client is gone, or says that it has ended."""
    whole = request_bytes({"Content-Type": JSON_TYPE}, b'{"pairs":[' + b" " * rng.randint(0, 5000) + b"]}")
    gone = rng.random() < 0.5
    return Script((whole[: rng.randrange(len(whole))],), ends=not gone, drops=gone)


def slow(rng: Random, corpus: Corpus) -> Script:
    """A request that comes a few bytes at a time: right, and answered, or given up."""
    whole = request_bytes({"Content-Type": JSON_TYPE}, GOOD_BODY)
    step = rng.randint(2, 30)
    pieces = tuple(whole[i : i + step] for i in range(0, len(whole), step))
    if rng.random() < 0.5:
        return Script(pieces[: rng.randint(1, len(pieces) - 1)], pause_seconds=0.01, drops=True)
    return Script(pieces, pause_seconds=0.01, due=1)


def pipelined(rng: Random, corpus: Corpus) -> Script:
    """Right requests one upon another in one piece, all answered; or with garbage behind them, which may undo them."""
    count = rng.randint(1, 12)
    good = request_bytes({"Content-Type": JSON_TYPE}, GOOD_BODY)
    tail = rng.choice((b"\0garbage\r\n\r\n", b"POST /score HTTP/9.9\r\n\r\n", b"", rng.randbytes(50)))
    return Script((good * count + tail,), due=0 if tail else count, ends=bool(tail))


def not_http(rng: Random, corpus: Corpus) -> Script:
    """Other protocols, and noise."""
    data = (
        b"\x16\x03\x01\x00\xf1\x01\x00\x00\xed\x03\x03" + rng.randbytes(200),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
        b"SSH-2.0-x\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        rng.randbytes(rng.randint(1, 5000)),
        b"\r\n" * rng.randint(1, 2000),
        b"\0" * rng.randint(1, 5000),
        b"\n",
    )
    return Script((rng.choice(data),), ends=True)
