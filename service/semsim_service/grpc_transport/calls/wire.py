"""Parses messages, with a bound on the memory that parsing may take.

An empty submessage is two bytes on the wire and dozens in memory: a message within the limit of bytes could fill the
memory with them. So the parts of a large message are counted before it is parsed.
"""

from functools import cache
from typing import Final, TypeVar

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message

from semsim.exceptions import InvalidRequest, TooManyPairs
from semsim_service.settings import Limits

AT_ONCE_BYTES = 2**20
"""A message up to this size is parsed in the event loop. A larger one would hold up other calls there."""

_FREE_BYTES = 64 * 2**10
"""A message up to this size cannot cost much, whatever it holds."""
_PARTS_A_PAIR = 16
_PARTS_TO_SPARE = 1024

_VARINT, _DELIMITED = 0, 2
_FIXED_BYTES = {1: 8, 5: 4}
_LONGEST_VARINT = 10

_PACKED: Final = "packed"
"""A field of numbers end to end. In memory each takes up to eight times its bytes."""
# Pixels may come as numbers, one for each byte. They take up to four times the message.
_UNCOUNTED = frozenset({"uint_contents"})

_Schema = dict[int, "_Schema | str"]

Parsed = TypeVar("Parsed", bound=Message)


def parse(kind: type[Parsed], data: bytes, limits: Limits) -> Parsed:
    """The message of type ``kind`` that ``data`` holds.

    Raises:
        InvalidRequest: ``data`` holds no such message.
        TooManyPairs: ``data`` has more parts than the limit of pairs explains.
    """
    if len(data) > _FREE_BYTES:
        _check_parts(kind, data, limits.pairs)
    try:
        return kind.FromString(data)
    except DecodeError:
        raise _not_one(kind, data) from None


def _check_parts(kind: type[Parsed], data: bytes, pairs: int) -> None:
    most = _PARTS_A_PAIR * pairs + _PARTS_TO_SPARE
    try:
        enough = _parts_fit(data, _schema(kind.DESCRIPTOR), most)
    except (ValueError, LookupError):
        raise _not_one(kind, data) from None
    if not enough:
        raise TooManyPairs(f"expected at most {pairs} pairs a request, got a message of far more parts")


def _not_one(kind: type[Parsed], data: bytes) -> InvalidRequest:
    return InvalidRequest(f"expected a message {kind.DESCRIPTOR.full_name}, got {len(data)} bytes that are not one")


@cache
def _schema(descriptor: Descriptor) -> _Schema:
    """The length-delimited fields whose parts are counted, by number: a submessage's schema, or :data:`_PACKED`."""
    schema: _Schema = {}
    for field in descriptor.fields:
        if field.message_type is not None:
            schema[field.number] = _schema(field.message_type)
        elif field.is_packed and field.name not in _UNCOUNTED:
            schema[field.number] = _PACKED
    return schema


def _parts_fit(data: bytes, schema: _Schema, most: int) -> bool:
    """True where ``data`` has at most ``most`` fields, those of its submessages included.

    Raises:
        ValueError, LookupError: ``data`` is not in protobuf's wire format.
    """
    waiting = [(0, len(data), schema)]
    while waiting:
        at, end, fields = waiting.pop()
        while at < end:
            most -= 1
            tag, at = _varint(data, at)
            wire_type = tag & 7
            if wire_type == _DELIMITED:
                size, at = _varint(data, at)
                inside = fields.get(tag >> 3)
                if inside is _PACKED:
                    most -= size
                elif isinstance(inside, dict):
                    waiting.append((at, at + size, inside))
                at += size
            elif wire_type == _VARINT:
                _, at = _varint(data, at)
            else:
                at += _FIXED_BYTES[wire_type]
            if most < 0:
                return False
        if at != end:
            raise ValueError("a field ends after the message that holds it")
    return True


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at ``at``, and the place behind it."""
    value = shift = 0
    while shift < 7 * _LONGEST_VARINT:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("a number of more than ten bytes")
