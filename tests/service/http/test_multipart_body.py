"""Multipart bodies are parsed in pieces, within bounds of their boundaries."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from semsim.exceptions import InvalidRequest, RequestTimeout, TooManyPairs
from semsim.stages import go_on
from semsim_service.core.received import ReceivedPair
from semsim_service.http import multipart_body
from semsim_service.http.multipart_body import claimed_form_pairs, parse_multipart
from semsim_service.settings import Limits

TYPE = "multipart/form-data; boundary=b"
PIECE = multipart_body._PIECE_BYTES


def part(name: str, contents: bytes) -> bytes:
    """A part that is a file, or the field ``id``."""
    file = "" if name == "id" else '; filename="reconstruction"'
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + contents + b"\r\n"


def whole(*parts: tuple[str, bytes]) -> bytes:
    """A body of parts."""
    return b"".join(part(*each) for each in parts) + b"--b--\r\n"


@given(
    before=st.integers(PIECE - 200, PIECE + 200),
    contents=st.lists(st.sampled_from([b"\r", b"\n", b"-", b"b", b"\r\n--", b"\r\n-b", b"x" * 9]), max_size=30),
)
def test_a_piece_may_end_anywhere(before: int, contents: list[bytes]) -> None:
    """The pairs are the same wherever the pieces end: in a boundary, in a header, or in what looks like a boundary."""
    original, reconstruction = b"o" * before, b"".join(contents)
    assume(b"\r\n--b" not in reconstruction)
    body = whole(("original", original), ("reconstruction", reconstruction), ("id", "é".encode()))
    assert parse_multipart(TYPE, body, Limits(), go_on) == [ReceivedPair("é", original, reconstruction)]


def test_a_request_that_is_over_is_parsed_no_further() -> None:
    """Between two pieces the parser asks whether anybody waits, and ends where nobody does."""
    pauses = 0

    def pause() -> None:
        nonlocal pauses
        pauses += 1
        if pauses == 3:
            raise RequestTimeout("over")

    body = whole(("original", bytes(PIECE * 20)), ("reconstruction", b"r"))
    with pytest.raises(RequestTimeout):
        parse_multipart(TYPE, body, Limits(), pause)
    assert pauses == 3


@pytest.mark.parametrize("line", [b"\r\n--b", b"\r\n--bX", b"\r\n--b\r", b"\r\n--b-"])
def test_far_too_many_boundaries_are_refused_unparsed(line: bytes) -> None:
    """A boundary that ends no part costs as much as one that does. So many of them end the work in the first piece."""
    pauses: list[None] = []
    body = part("original", b"") + line * (PIECE * 20) + b"\r\n--b--\r\n"
    with pytest.raises(TooManyPairs):
        parse_multipart(TYPE, body, Limits(), lambda: pauses.append(None))
    assert len(pauses) == 1


@pytest.mark.parametrize("shift", range(0, 120, 7))
def test_many_blanks_behind_a_boundary_are_refused_unparsed(shift: int) -> None:
    """Each of them costs the parser a step. A hundred are taken, wherever the pieces end, and no more."""
    start = part("original", b"x" * (PIECE - 100 - shift)).removesuffix(b"\r\n")
    rest = b"\r\n" + part("reconstruction", b"r").removeprefix(b"--b\r\n") + b"--b--\r\n"
    assert len(parse_multipart(TYPE, start + b"\r\n--b" + b" \t" * 50 + rest, Limits(), go_on)) == 1
    with pytest.raises(InvalidRequest, match="at most 100 blanks"):
        parse_multipart(TYPE, start + b"\r\n--b" + b"\t " * 50 + b" " + rest, Limits(), go_on)


def test_a_boundary_at_the_end_of_a_piece_counts_once() -> None:
    """Boundaries are counted where they begin. As many as the parts may have, with some to spare, are none too many."""
    limits = Limits(pairs=3)
    lines = b"\r\n--bX" * 1000
    for shift in range(8):
        start = part("original", b"x" * (PIECE - 3000 - shift))[:-2]
        body = start + lines + b"\r\n" + whole(("reconstruction", b"r"))
        (pair,) = parse_multipart(TYPE, body, limits, go_on)
        assert isinstance(pair.original, bytes)
        assert pair.original.endswith(lines)


@pytest.mark.parametrize("end", [b"", b"\r\n--b", b"--", b"\r\n--b\r\n--"])
def test_a_cut_body_is_refused_whatever_its_last_bytes(end: bytes) -> None:
    """A cut body would lose its last part in silence, even where its last bytes look like a closing boundary's."""
    parts = ("original", b"o"), ("reconstruction", b"r"), ("reconstruction", b"r")
    body = whole(*parts).removesuffix(b"\r\n--b--\r\n")
    assert len(parse_multipart(TYPE, whole(*parts), Limits(), go_on)) == 2
    with pytest.raises(InvalidRequest, match="expected multipart/form-data"):
        parse_multipart(TYPE, body + end, Limits(), go_on)


@pytest.mark.parametrize("shift", [0, 1, 4, 6, 200])
@pytest.mark.parametrize(
    "more",
    [
        whole(("original", b"o"), ("reconstruction", b"leaks")),
        part("reconstruction", b"leaks") + b"--b--",
        b"--b--",
        b"--b",
        b"an epilogue",
        b"an epilogue --",
        b"\r\n" * 600,
        b" " * PIECE * 2 + b"--b--",
    ],
)
def test_nothing_is_lost_behind_the_closing_boundary(more: bytes, shift: int) -> None:
    """A second form would lose its pairs in silence, wherever the pieces end. Any text there is refused."""
    start = part("original", b"o" * (PIECE - len(part("original", b"") + part("reconstruction", b"r")) - shift))
    body = start + whole(("reconstruction", b"r"))
    for end in (b"", b"\r\n", b" \t\r\n\r\n", b"\n" * 1000):
        assert len(parse_multipart(TYPE, body + end, Limits(), go_on)) == 1
    with pytest.raises(InvalidRequest, match="nothing behind the closing boundary"):
        parse_multipart(TYPE, body + more, Limits(), go_on)


def test_a_form_that_ends_before_its_parts_is_refused() -> None:
    """A closing boundary in the first line ends a form of nothing, and its parts would be lost."""
    parts = whole(("original", b"o"), ("reconstruction", b"r"))
    for body in (b"--b--\r\n" + parts, b"\r\n--b--\r\n" + parts, b"--b--\r\n", b"--b--"):
        with pytest.raises(InvalidRequest):
            parse_multipart(TYPE, body, Limits(), go_on)


def test_the_claim_counts_parts_not_names_of_files() -> None:
    """The pairs are told by the parts' names. Files may have the same names."""
    body = whole(("original", b"o"), *[("reconstruction", b"r")] * 5)
    assert claimed_form_pairs(body) == 5
