"""Bodies end where their headers say, however their bytes come."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semsim_service.http.framing import ChunkedBody, FramedBody, SizedBody, body_of
from semsim_service.http.refused import RefusedConnection

NEXT = b"GET / HTTP/1.1\r\n"


def taken(body: FramedBody, sent: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    """The data of a body that comes in pieces, and what is left behind it."""
    places = sorted({0, len(sent), *(cut % (len(sent) + 1) for cut in cuts)})
    received, data = bytearray(), b""
    for begin, end in itertools.pairwise(places):
        received += sent[begin:end]
        if not body.ended:
            data += body.take(received)
    assert body.ended
    return data, bytes(received)


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 400), max_size=20))
def test_a_sized_body_ends_at_its_length(data: bytes, cuts: list[int]) -> None:
    """As many bytes are taken as were announced."""
    body = SizedBody(len(data))
    assert taken(body, data + NEXT, cuts) == (data, NEXT)


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=80), max_size=8),
    extension=st.sampled_from([b"", b";a=b", b" ;x", b"  "]),
    cuts=st.lists(st.integers(0, 800), max_size=20),
)
def test_a_chunked_body_ends_at_its_last_chunk(chunks: list[bytes], extension: bytes, cuts: list[int]) -> None:
    """The chunks' data is taken, and nothing behind the last one, however it is cut."""
    sent = b"".join(b"%x%s\r\n%s\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    assert taken(ChunkedBody(), sent + b"0\r\n\r\n" + NEXT, cuts) == (b"".join(chunks), NEXT)


@pytest.mark.parametrize(
    "sent",
    [
        *(b"zz\r\n", b"-1\r\nx\r\n", b"+1\r\nx\r\n", b"0x1\r\nx\r\n", b"\r\n", b" 1\r\nx\r\n", b"1_0\r\n"),
        *(b"1\r\nxy\r\n", b"1\r\nx\n\n", b"0\r\nA: b\r\n\r\n", b"f" * 16 + b"\r\n", b"1" * 200, b"1;" + b"x" * 200),
        *(b"1;\nx\r\ny\r\n", b"1;\rx\r\ny\r\n", b'1;a="\n"\r\ny\r\n', b"1;\0\r\ny\r\n"),
        b"1\r\nx\r\n" * 20_000,
    ],
)
def test_other_chunks_are_refused(sent: bytes) -> None:
    """Sizes that are none, wrong or bare line ends, trailers and many small chunks are no body."""
    with pytest.raises(RefusedConnection):
        ChunkedBody().take(bytearray(sent))


def test_large_chunks_may_be_many() -> None:
    """A body of ordinary chunks is taken, however long."""
    received = bytearray((b"400\r\n" + bytes(1024) + b"\r\n") * 5000 + b"0\r\n\r\n")
    body = ChunkedBody()
    assert len(body.take(received)) == 5000 * 1024
    assert body.ended
    assert not received


def test_headers_say_one_thing() -> None:
    """One length or chunks: nothing else is a framing, and no header is no body."""
    assert isinstance(body_of([(b"transfer-encoding", b"Chunked")]), ChunkedBody)
    assert body_of([]).ended
    assert not body_of([(b"content-length", b"12")]).ended
    for wrong in (
        [(b"content-length", b"1"), (b"content-length", b"1")],
        [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")],
        *([(b"transfer-encoding", coding)] for coding in (b"gzip", b"gzip, chunked", b"identity", b"chunked, chunked")),
        *([(b"content-length", length)] for length in (b"", b"+1", b"-1", b"1 ", b"0x1", b"9" * 20, b"\xb2")),
    ):
        with pytest.raises(RefusedConnection):
            body_of(wrong)
