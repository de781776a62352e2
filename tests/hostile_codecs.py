"""Small files whose codecs take seconds, or gigabytes, in one call where nothing bounds them."""

import struct

import numpy as np
from PIL import ImageCms

_SIDE = 1024
_CODE_ORDER = (17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8)
"""The order in which a lossless WebP gives the lengths of the codes of code lengths."""


def profile_of_many_steps(steps: int) -> bytes:
    """The profile of sRGB with a conversion that names one step, a matrix, so many times (ICC.1:2022, 10.16)."""
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    count = int.from_bytes(plain[128:132], "big")
    entries = [struct.unpack(">4sII", plain[132 + 12 * i : 144 + 12 * i]) for i in range(count)]
    matrix = b"matf" + bytes(4) + struct.pack(">HH12f", 3, 3, 1, 0.001, 0, 0, 1, 0.001, 0.001, 0, 1, 0, 0, 0)
    place = struct.pack(">II", 16 + 8 * steps, len(matrix))
    conversion = b"mpet" + bytes(4) + struct.pack(">HHI", 3, 3, steps) + place * steps + matrix
    parts = [(name, plain[start : start + size]) for name, start, size in entries] + [(b"D2B0", conversion)]
    table, content, first = b"", b"", 132 + 12 * len(parts)
    for name, body in parts:
        table += struct.pack(">4sII", name, first + len(content), len(body))
        content += body + bytes(-len(body) % 4)
    head = plain[4:8] + b"\x04\x30\0\0" + plain[12:128]
    return struct.pack(">I", first + len(content)) + head + struct.pack(">I", len(parts)) + table + content


def webp_of_many_codes() -> bytes:
    """A lossless WebP of 1024 x 1024 with a set of codes for each 16 of its pixels (RFC 9649, 3.7)."""
    groups = np.arange((_SIDE // 4) ** 2)
    # A number of eight bits is a code of its own, the first bit first; so are the two bytes of a group's number.
    numbers = np.unpackbits(np.stack([groups & 255, groups >> 8], axis=1).astype(np.uint8))
    head = [*_bits(0x2F, 8), *_bits(_SIDE - 1, 14), *_bits(_SIDE - 1, 14), *_bits(0, 4)]
    head += [0, 0, 1, *_bits(0, 3), 0]  # no transform, no cache; an image of groups for blocks of 4, without a cache
    head += [*_all_bytes(280), *_all_bytes(256), *_one(0) * 3]
    codes = [*_one(7), *_one(8), *_one(9), *_one(255), *_one(0)]
    bits = np.concatenate([head, numbers, np.tile(codes, len(groups))]).astype(np.uint8)
    body = np.packbits(bits, bitorder="little").tobytes() + bytes(8)
    chunk = b"WEBPVP8L" + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
    return b"RIFF" + struct.pack("<I", len(chunk)) + chunk


def _bits(number: int, count: int) -> list[int]:
    """A number, its lowest bit first."""
    return [number >> place & 1 for place in range(count)]


def _one(symbol: int) -> list[int]:
    """The code of a single symbol, which takes no bits."""
    return [1, 0, 0, symbol] if symbol < 2 else [1, 0, 1, *_bits(symbol, 8)]


def _all_bytes(symbols: int) -> list[int]:
    """A code of eight bits for each byte, and none for the other symbols."""
    lengths = [bit for symbol in _CODE_ORDER for bit in _bits(int(symbol in (8, 18)), 3)]
    rest = [1, *_bits(symbols - 256 - 11, 7)] if symbols > 256 else []
    return [0, *_bits(len(_CODE_ORDER) - 4, 4), *lengths, 0, *[0] * 256, *rest]
