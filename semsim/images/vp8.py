"""The header of a VP8 key frame: its size, and where its partitions lie (RFC 6386, sections 9 and 19)."""

from dataclasses import dataclass

from semsim.exceptions import CorruptImage, TruncatedImage

_START = 10
"""The bytes before the first partition."""


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """The header of a VP8 key frame."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    last_start: int
    """The offset of the last partition that holds coefficients."""
    last_used: int
    """The offset behind it: partitions behind it belong to no row."""


def read_key_frame(data: bytes) -> KeyFrame:
    """Read the header of a frame, the body of a ``VP8 `` chunk.

    Raises:
        TruncatedImage: a partition begins or ends behind the frame.
        CorruptImage: it is no key frame that is shown.
    """
    tag = int.from_bytes(data[:3], "little")
    if len(data) <= _START or tag & 1 or not tag & 16 or data[3:6] != b"\x9d\x01\x2a":
        raise CorruptImage("expected a key frame in a lossy WebP file, got another one")
    width, height = (int.from_bytes(data[start : start + 2], "little") & 0x3FFF for start in (6, 8))
    first = _START + (tag >> 5)
    if first > len(data):
        raise TruncatedImage(f"expected {tag >> 5} bytes in the first partition of a WebP file, got fewer")
    count = _partitions(_BoolDecoder(data[_START:first]))
    start = first + 3 * (count - 1)
    rows = max(1, (height + 15) // 16)  # the caller refuses a height of 0
    for index in range(count):
        # The last partition goes up to the end of the frame, and its size is written nowhere.
        size = int.from_bytes(data[first + 3 * index : first + 3 * index + 3], "little")
        end = len(data) if index == count - 1 else start + size
        if start > end or end > len(data):
            raise TruncatedImage("expected the partitions of a WebP file to lie within it, got a longer one")
        if index == min(rows, count) - 1:
            last_start, last_used = start, end
        start = end
    return KeyFrame(width, height, last_start, last_used)


def lowered(frame: bytes, start: int) -> bytes | None:
    """The frame with a partition, from ``start`` to its end, that is less by one as a number of many digits.

    A frame's partition is one number in an interval that means its picture. Encoders write the interval's lower bound
    (section 7.3, and libwebp and libvpx alike), so that one less means another picture. Only a partition of zeros has
    no number below it: ``None``.
    """
    number = int.from_bytes(frame[start:], "big")
    return frame[:start] + (number - 1).to_bytes(len(frame) - start, "big") if number else None


def with_whole_blocks(frame: bytes) -> bytes:
    """The frame with a size in whole blocks of 16 pixels: what is coded beyond the picture's edges is seen, too."""
    sizes = [int.from_bytes(frame[start : start + 2], "little") for start in (6, 8)]
    wider = [size & 0xC000 | min(-(-(size & 0x3FFF) // 16) * 16, 0x3FFF) for size in sizes]
    return frame[:6] + b"".join(size.to_bytes(2, "little") for size in wider) + frame[_START:]


def _partitions(bits: "_BoolDecoder") -> int:
    """The number of partitions of coefficients, which stands behind the segments and the loop filter."""
    bits.literal(2)  # colour space, clamping
    if bits.literal(1):  # segments
        has_map, has_values = bits.literal(1), bits.literal(1)
        if has_values:
            bits.literal(1)
            for width in (7,) * 4 + (6,) * 4:
                bits.optional(width + 1)
        if has_map:
            for _ in range(3):
                bits.optional(8)
    bits.literal(10)  # kind, level and sharpness of the filter
    if bits.literal(1) and bits.literal(1):  # changes of its level
        for _ in range(8):
            bits.optional(7)
    return int(1 << bits.literal(2))


class _BoolDecoder:
    """The arithmetic decoder of RFC 6386, section 7, for bits that are 0 and 1 alike."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._value = int.from_bytes(data[:2].ljust(2, b"\0"), "big")
        self._next = 2
        self._range = 255
        self._shifted = 0

    def literal(self, count: int) -> int:
        """An unsigned number of ``count`` bits, the highest first."""
        number = 0
        for _ in range(count):
            split = 1 + ((self._range - 1) * 128 >> 8)
            bit = self._value >= split << 8
            self._range = self._range - split if bit else split
            self._value -= split << 8 if bit else 0
            while self._range < 128:
                self._value <<= 1
                self._range <<= 1
                self._shifted += 1
                if self._shifted == 8:
                    self._shifted = 0
                    self._value |= self._data[self._next] if self._next < len(self._data) else 0
                    self._next += 1
            number = number << 1 | bit
        return number

    def optional(self, width: int) -> None:
        """Pass over a flag and, where it is set, ``width`` bits."""
        if self.literal(1):
            self.literal(width)
