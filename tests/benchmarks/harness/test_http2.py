"""The frames of the gRPC load generator."""

from benchmarks.harness import http2
from benchmarks.harness.http2 import END_STREAM, Frame, FrameType, take_frames


def test_frames_are_taken_when_they_are_whole() -> None:
    """The bytes that are left wait for the rest."""
    first, second = Frame(FrameType.DATA, END_STREAM, 3, b"x" * 70_000), Frame(FrameType.PING, 0, 0, b"12345678")
    sent = first.encode() + second.encode()
    assert take_frames(sent) == ([first, second], b"")
    assert take_frames(sent[:-1]) == ([first], second.encode()[:-1])


def test_a_message_survives_being_cut_into_frames() -> None:
    """However the flow control cuts it, and only its last frame ends the stream."""
    message = http2.with_length(bytes(range(256)) * 200)
    sent = b"".join(
        frame
        for begin, end in ((0, 65_535 // 2), (65_535 // 2, len(message)))
        for frame in http2.data_frames(1, message, begin, end)
    )
    frames, _ = take_frames(sent)
    assert http2.without_length(b"".join(frame.payload for frame in frames)) == message[5:]
    assert [frame.flags for frame in frames] == [0] * (len(frames) - 1) + [END_STREAM]


def test_an_error_has_no_message() -> None:
    """There is none with a status that is not OK."""
    assert http2.without_length(b"") is None


def test_settings_are_read_as_they_were_written() -> None:
    """Identifiers and values."""
    values = {http2.HEADER_TABLE_SIZE: 0, http2.INITIAL_WINDOW_SIZE: 2**24}
    (frame,), _ = take_frames(http2.settings(values))
    assert http2.read_settings(frame) == values
