"""Header blocks in full are read as they are written, and all others are left to grpcio."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.harness.http2 import call_headers, literal
from semsim_service.grpc_transport.gate.header_block import empties_table, read_literals, write_trailers

_NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=300)


@given(st.lists(st.tuples(_NAMES, st.text(st.characters(codec="ascii"), max_size=20_000)), max_size=5))
def test_what_is_written_is_read(headers: list[tuple[str, str]]) -> None:
    """Names and values of any length come back."""
    assert read_literals(write_trailers(headers)) == headers


def test_a_calls_path_is_read_in_each_form() -> None:
    """A name may be written out or be one of the static table, and a literal of any of the three kinds."""
    assert dict(read_literals(call_headers(b"/a/B")) or ())[":path"] == "/a/B"
    for kind in (b"\x04", b"\x14", b"\x44"):
        assert read_literals(kind + b"\x04/a/B\x83") == [(":path", "/a/B")]
    assert read_literals(b"\x0f\x08\x01t") == [("authorization", "t")]


@pytest.mark.parametrize(
    "block",
    [b"\xbe", b"\x20\x83", b"\x7f\x00\x01a", b"\x04\x81\x00", b"\x04\x05/a", b"\x00", b"\x04\x01\xff", b"\xff\xff"],
)
def test_a_block_that_is_not_in_full_is_not_read(block: bytes) -> None:
    """An index of the connection's table, a new size of it, Huffman's code, and broken blocks are not read."""
    assert read_literals(block) is None
    assert read_literals(literal(b"a", b"b") + block) is None


def test_a_size_of_nothing_empties_the_table() -> None:
    """The last size at a block's beginning counts."""
    assert empties_table(b"\x20\x83")
    for block in (b"\x20", b"\x20\x3f\x10\x83", b"\x3f\x10\x83", b"\x83", b""):
        assert not empties_table(block)
