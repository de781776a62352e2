"""The gate follows frames in whatever pieces they come, holds calls back, and paces what costs the server much."""

import math

import pytest

from benchmarks.harness.http2 import ACK, END_HEADERS, PREFACE, Frame, FrameType, settings
from semsim.exceptions import InvalidRequest
from semsim_service.grpc_transport.gate.frame_bounds import CallerFrames, OpeningBytes
from semsim_service.grpc_transport.gate.reset_pace import ResetPace

_CONTINUATION = 0x9
_ACKNOWLEDGED = Frame(FrameType.SETTINGS, ACK).encode()
_CALL = Frame(FrameType.HEADERS, END_HEADERS, 1, b"x" * 40).encode() + Frame(FrameType.DATA, 1, 1, b"y" * 70).encode()
_RESET = Frame(FrameType.RST_STREAM, 0, 1, b"\0\0\0\x08").encode()


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_calls_wait_until_the_settings_are_acknowledged(piece: int) -> None:
    """Settings pass at once, and what came before the acknowledgement passes behind it, in its order."""
    opening, passed, behind = OpeningBytes(), b"", None
    said = settings({4: 100})
    sent = PREFACE + said + _CALL + _ACKNOWLEDGED + _CALL
    for at in range(0, len(sent), piece):
        if behind is None:
            more, behind = opening.take(sent[at : at + piece])
            passed += more
        else:
            behind += sent[at : at + piece]
    assert passed == PREFACE + said + _ACKNOWLEDGED
    assert behind == _CALL + _CALL


def test_a_client_that_acknowledges_nothing_is_refused() -> None:
    """The bytes that wait for the acknowledgement are bounded."""
    opening = OpeningBytes()
    opening.take(PREFACE + settings({}))
    with pytest.raises(InvalidRequest, match="acknowledges the settings"):
        for _ in range(10):
            opening.take(_CALL * 200)


@pytest.mark.parametrize("piece", [1, 3, 17, 10_000])
def test_resets_are_paced(piece: int) -> None:
    """The first resets pass. Those after them wait for their turns, each behind the other, and nothing is lost."""
    frames, left, passed, waits = CallerFrames(ResetPace()), (_CALL + _RESET) * 70, b"", []
    whole = left
    while left:
        size, seconds = frames.take(left[:piece], 0.0)
        passed, left = passed + left[:size], left[size:]
        waits += [seconds] if seconds else []
    assert passed == whole
    assert len(waits) == 6
    assert waits == sorted(waits)


def test_connections_take_turns() -> None:
    """A connection that resets a little goes on beside one that resets all the time."""
    turns = ResetPace()
    greedy, modest = CallerFrames(turns), CallerFrames(turns)
    assert any(greedy.take(_CALL + _RESET, 0.0)[1] for _ in range(300))
    assert not any(modest.take(_CALL + _RESET, 0.0)[1] for _ in range(60))
    assert greedy.take(_CALL + _RESET, 10.0) == (len(_CALL + _RESET), 0.0)


def test_long_headers_and_broken_calls_are_paced() -> None:
    """Headers of kilobytes, those of answers too, and calls that the server breaks off cost as much as resets."""
    block = Frame(FrameType.HEADERS, END_HEADERS, 1, bytes(4000)).encode()
    frames = CallerFrames(ResetPace())
    assert any(frames.take(block, 0.0)[1] for _ in range(30))
    for answer in (block, _RESET):
        frames = CallerFrames(ResetPace())
        assert any(frames.take_answer(answer, 0.0) for _ in range(70))
    frames = CallerFrames(ResetPace())
    answered = Frame(FrameType.RST_STREAM, 0, 1, bytes(4)).encode()  # it ends a call that was answered
    assert not any(frames.take_answer(_CALL + answered, 0.0) for _ in range(200))


def _calls(begin: int, end: int) -> bytes:
    heads = (Frame(FrameType.HEADERS, END_HEADERS, stream, b"x" * 40) for stream in range(begin, end, 2))
    return b"".join(head.encode() for head in heads)


def test_open_calls_are_bounded() -> None:
    """A new connection begins a hundred calls at once, a known one as many as it was told, and none begins more."""
    assert any(CallerFrames(ResetPace()).take(_calls(1, 401), 0.0))
    frames = CallerFrames(ResetPace())
    assert frames.take(_calls(1, 201), 0.0)[1] == 0
    for stream in range(1, 201, 2):
        frames.take_answer(Frame(FrameType.HEADERS, 5, stream, bytes(100)).encode(), 0.0)
    sent = _calls(201, 201 + 2 * 2000)
    size, seconds = frames.take(sent, 0.0)
    assert (size, seconds, frames.has_room) == (1025 * len(_calls(1, 2)), math.inf, False)
    frames.take_answer(Frame(FrameType.HEADERS, 5, 201, bytes(100)).encode(), 0.0)
    assert frames.has_room


def test_a_header_block_without_an_end_is_refused() -> None:
    """A block may go on in further frames, up to its limit."""
    frames = CallerFrames(ResetPace())
    frames.take(Frame(FrameType.HEADERS, 0, 1, bytes(16_000)).encode(), 0.0)
    with pytest.raises(InvalidRequest, match="header block"):
        for second in range(1, 10):
            frames.take(Frame(_CONTINUATION, 0, 1, bytes(16_000)).encode(), second * 1000.0)


@pytest.mark.parametrize("reset_first", [True, False])
def test_nothing_is_kept_of_calls_that_are_over(reset_first: bool) -> None:
    """A call whose client resets it, before or after its answer has begun, is forgotten."""
    frames, answer = CallerFrames(ResetPace()), Frame(FrameType.HEADERS, END_HEADERS, 1, b"x" * 100).encode()
    frames.take(_CALL, 0.0)
    if reset_first:
        frames.take(_RESET, 0.0)
    frames.take_answer(answer, 0.0)
    frames.take(_RESET, 0.0)
    assert not frames._calls
    assert not frames._answered
