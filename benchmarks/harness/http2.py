"""Frames of HTTP/2, as many kinds as a gRPC client of one call at a time needs, and gRPC's own framing in them."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW = 65_535
"""Bytes that may be sent on a connection, and on a stream, until the other side says otherwise."""
END_STREAM = ACK = 0x1
END_HEADERS = 0x4

HEADER_TABLE_SIZE = 0x1
INITIAL_WINDOW_SIZE = 0x4

_HEAD = struct.Struct(">BHBBI")
_SETTING = struct.Struct(">HI")
_MESSAGE = struct.Struct(">BI")
_LARGEST_FRAME = 16_384


class FrameType(IntEnum):
    """Types of frames."""

    DATA = 0x0
    HEADERS = 0x1
    RST_STREAM = 0x3
    SETTINGS = 0x4
    PING = 0x6
    GOAWAY = 0x7
    WINDOW_UPDATE = 0x8


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame."""

    kind: int
    flags: int = 0
    stream: int = 0
    payload: bytes = b""

    def encode(self, length: int | None = None) -> bytes:
        """The frame's bytes on the wire; ``length`` makes it state another length than it has."""
        size = len(self.payload) if length is None else length
        return _HEAD.pack(size >> 16, size & 0xFFFF, self.kind, self.flags, self.stream) + self.payload


def take_frames(received: bytes) -> tuple[list[Frame], bytes]:
    """The whole frames at the beginning of ``received``, and what is left."""
    frames = []
    at = 0
    while len(received) - at >= _HEAD.size:
        high, low, kind, flags, stream = _HEAD.unpack_from(received, at)
        end = at + _HEAD.size + (high << 16 | low)
        if end > len(received):
            break
        frames.append(Frame(kind, flags, stream & 0x7FFFFFFF, received[at + _HEAD.size : end]))
        at = end
    return frames, received[at:]


def settings(values: Mapping[int, int]) -> bytes:
    """A frame that announces settings."""
    return Frame(FrameType.SETTINGS, payload=b"".join(_SETTING.pack(*item) for item in values.items())).encode()


def read_settings(frame: Frame) -> dict[int, int]:
    """The settings that a frame announces."""
    return dict(_SETTING.iter_unpack(frame.payload))


def literal(name: bytes, value: bytes) -> bytes:
    """A header field as a literal that is never indexed (RFC 7541, 6.2.3); name and value under 127 bytes."""
    return bytes((0x10, len(name))) + name + bytes((len(value),)) + value


def call_headers(path: bytes) -> bytes:
    """The header block of a gRPC call."""
    pseudo = literal(b":method", b"POST") + literal(b":scheme", b"http") + literal(b":path", path)
    rest = literal(b"te", b"trailers") + literal(b"content-type", b"application/grpc")
    return pseudo + literal(b":authority", b"127.0.0.1") + rest


def data_frames(stream: int, message: bytes, begin: int, end: int) -> Iterator[bytes]:
    """The frames of ``message[begin:end]``; the last byte of a message ends its stream."""
    while begin < end:
        stop = min(begin + _LARGEST_FRAME, end)
        flags = END_STREAM if stop == len(message) else 0
        yield Frame(FrameType.DATA, flags, stream, message[begin:stop]).encode()
        begin = stop


def with_length(message: bytes) -> bytes:
    """A gRPC message as it stands in a stream: not compressed, its length before it."""
    return _MESSAGE.pack(0, len(message)) + message


def without_length(data: bytes) -> bytes | None:
    """The gRPC message of a stream; None where it is not all there, as after an error."""
    size = _MESSAGE.size
    return data[size:] if len(data) >= size and len(data) - size == _MESSAGE.unpack_from(data)[1] else None
