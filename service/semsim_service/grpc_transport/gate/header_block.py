"""Header blocks of HTTP/2 that name each header in full (RFC 7541), read and written without a table."""

from collections.abc import Iterable

_INDEXED = 0x80
_LITERAL_NAME_BITS = {0x40: 6, 0x10: 4, 0x00: 4}
"""The bits of a name's index behind the bits that tell the kinds of literals: indexed, never indexed, not indexed."""
_SIZE_UPDATE = 0x20
_HUFFMAN = 0x80
_STATUS_OK = b"\x88"
_STATIC = 61
_PATH, _AUTHORIZATION = (4, 5), 23
_KNOWN = {**dict.fromkeys(_PATH, ":path"), _AUTHORIZATION: "authorization"}
"""The names in the static table that the gate reads."""


def empties_table(block: bytes) -> bool:
    """True where a block begins with the update by which its sender keeps no table from here on."""
    return block[:1] == bytes((_SIZE_UPDATE,)) and len(block) > 1 and block[1] & 0xE0 != _SIZE_UPDATE


def read_literals(block: bytes) -> list[tuple[str, str]] | None:
    """The headers of a block by name, those apart whose name or value has an index that the gate does not read.

    Returns None for a block that refers to a table of its connection, or changes its size, or is written in Huffman's
    code, or is broken.
    """
    headers = []
    at = 0
    try:
        while at < len(block):
            first = block[at]
            if first & _INDEXED:
                index, at = _number(block, at, 7)
                if not 1 <= index <= _STATIC:
                    return None
                continue
            kind = 0x40 if first & 0x40 else first & 0xF0
            index, at = _number(block, at, _LITERAL_NAME_BITS[kind])
            if index > _STATIC:
                return None
            name, at = (_KNOWN.get(index), at) if index else _text(block, at)
            value, at = _text(block, at)
            if name is not None:
                headers.append((name, value))
    except (LookupError, ValueError):
        return None
    return headers


def write_trailers(headers: Iterable[tuple[str, str]]) -> bytes:
    """The block of an answer of HTTP's status 200 that consists of these headers alone, in ASCII."""
    parts = [_STATUS_OK]
    for name, value in headers:
        parts += (b"\x00", _length(len(name)), name.encode(), _length(len(value)), value.encode())
    return b"".join(parts)


def _text(block: bytes, at: int) -> tuple[str, int]:
    if block[at] & _HUFFMAN:
        raise ValueError("Huffman's code")
    size, at = _number(block, at, 7)
    if at + size > len(block):
        raise ValueError("a text that does not end")
    return block[at : at + size].decode("ascii"), at + size


def _number(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """The number that begins in the last bits of a byte (RFC 7541, section 5.1), and the place behind it."""
    most = (1 << bits) - 1
    value = block[at] & most
    at += 1
    if value < most:
        return value, at
    for shift in range(0, 21, 7):
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of too many bytes")


def _length(size: int) -> bytes:
    """The length of a text that is not in Huffman's code."""
    most = 0x7F
    if size < most:
        return bytes((size,))
    size -= most
    rest = []
    while size >= 0x80:
        rest.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((most, *rest, size))
