"""The frame of a JPEG: its size, and whether its scans bring the whole picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semsim.exceptions import CMYKImage, CorruptImage, SixteenBitImage, TruncatedImage, UnsupportedFormat
from semsim.images.jpeg_markers import DHT, DNL, FRAMES, SOS, JpegSegment

_PROGRESSIVE = frozenset({0xC2, 0xCA})
_DECODED = _PROGRESSIVE | {0xC0, 0xC1, 0xC9}
_HUFFMAN = frozenset({0xC0, 0xC1, 0xC2})
_MOST_SCANS = 32
"""Encoders write at most a dozen scans. Each passes over the whole picture, so that thousands take minutes."""
_LARGEST_TABLES = 8 * (17 + 256)
"""The bytes of all tables of codes that a decoder can hold at once: four of mean values, and four of coefficients."""
_UNSEEN = 99
_GAP = bytes(32)
_SIXTEEN_ZEROS = 0xF0
"""The symbol for 16 coefficients of zero, after which the block goes on."""


@dataclass(frozen=True, slots=True)
class JpegFrame:
    """The start of frame of a JPEG."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    components: tuple[int, ...]
    """The identifiers of the colour channels: one for grey, three for colour."""
    is_progressive: bool
    """Each coefficient may come in several scans, coarse first."""
    is_huffman: bool
    """The coefficients are coded by Huffman's method, not arithmetically."""


def read_frame(data: bytes, segments: Sequence[JpegSegment]) -> JpegFrame:
    """The frame of a picture.

    Raises:
        UnsupportedFormat: the frame is lossless, hierarchical or has other channels than grey or three.
        CMYKImage: it has four channels.
        SixteenBitImage: it has more than 8 bits a channel.
        CorruptImage: there is not exactly one frame.
    """
    frames = [segment for segment in segments if segment.marker in FRAMES]
    if len(frames) != 1:
        raise CorruptImage(f"expected one frame in a JPEG file, got {len(frames)}")
    marker, body = frames[0].marker, data[frames[0].start : frames[0].stop]
    if marker not in _DECODED:
        kind = "JPEG-LS" if marker == 0xF7 else "a lossless or hierarchical JPEG"
        raise UnsupportedFormat(f"expected PNG, JPEG or WebP, got {kind}")
    if len(body) < 6 or len(body) != 6 + 3 * body[5]:
        raise CorruptImage(f"expected a frame of 6 bytes and 3 a channel in a JPEG file, got {len(body)} bytes")
    components = tuple(body[6::3])
    if body[0] != 8:
        raise SixteenBitImage(f"expected 8 bits a channel, got a {body[0]}-bit JPEG")
    if len(components) == 4:
        raise CMYKImage("expected RGB or grey, got CMYK")
    if len(components) not in (1, 3):
        raise UnsupportedFormat(f"expected a grey JPEG or one of three channels, got {len(components)} channels")
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    if height == 0 and any(segment.marker == DNL for segment in segments):
        raise UnsupportedFormat("expected a JPEG that begins with its height, got one that ends with it")
    return JpegFrame(width, height, components, marker in _PROGRESSIVE, marker in _HUFFMAN)


def require_all_scans(data: bytes, segments: Sequence[JpegSegment], frame: JpegFrame) -> None:
    """Refuse a picture whose scans leave out a channel, or leave a coefficient of a progressive one coarse.

    A file that was cut between two scans, and given an end mark, is a valid stream: only its scans tell.

    Raises:
        TruncatedImage: something is left out.
        CorruptImage: a scan is malformed, or there are more scans than any encoder writes.
    """
    scans = [data[segment.start : segment.stop] for segment in segments if segment.marker == SOS]
    if len(scans) > _MOST_SCANS:
        raise CorruptImage(f"expected at most {_MOST_SCANS} scans in a JPEG file, got {len(scans)}")
    # The number of low bits that each coefficient of each channel still lacks.
    missing = {component: np.full(64, _UNSEEN) for component in frame.components}
    for scan in scans:
        count = scan[0] if scan else 0
        if len(scan) != 4 + 2 * count or not missing.keys() >= set(scan[1 : 1 + 2 * count : 2]):
            raise CorruptImage("expected scans of the frame's channels in a JPEG file, got another one")
        first, last, precision = scan[-3:]
        for component in scan[1 : 1 + 2 * count : 2]:
            if frame.is_progressive:
                missing[component][first : last + 1] = precision & 15
            else:
                missing[component][:] = 0
    coarse = sum(int((bits > 0).sum()) for bits in missing.values())
    if coarse:
        raise TruncatedImage(
            f"expected all {64 * len(missing)} coefficients in the scans of a JPEG file, got {coarse} missing or coarse"
        )


def require_no_gap(data: bytes, segments: Sequence[JpegSegment], frame: JpegFrame) -> None:
    """Refuse a picture in whose coded data zeros stand that no encoder writes, as where a disk lost a block.

    Zero bits are the shortest code of each table. Where that code ends a block, a plain picture gives long runs of
    zeros. Elsewhere they would be hundreds of equal coefficients in a row.

    Raises:
        CorruptImage: there are such zeros, or more tables of codes than a decoder can hold.
    """
    if not frame.is_huffman:
        return
    ends_block: dict[int, bool] = {}
    for segment in segments:
        if segment.marker == DHT:
            ends_block |= _ends_block(data[segment.start : segment.stop])
        elif segment.marker == SOS and data.find(_GAP, segment.stop, segment.end) >= 0:
            first, _, precision = data[segment.stop - 3 : segment.stop]
            if frame.is_progressive and (first == 0 or precision >> 4):
                continue  # mean values, or single bits that refine others: many may be zero
            tables = data[segment.start + 2 : segment.stop - 3 : 2]
            if not all(ends_block.get(table & 15, True) for table in tables):
                raise CorruptImage(f"expected a valid JPEG file, got {len(_GAP)} zeros in a row in its coded data")


def _ends_block(body: bytes) -> dict[int, bool]:
    """By the number of each table of coefficients: True where the shortest code ends a block, or a run of blocks."""
    if len(body) > _LARGEST_TABLES:  # there may be thousands of empty ones
        raise CorruptImage(f"expected at most {_LARGEST_TABLES} bytes of tables in a JPEG segment, got {len(body)}")
    tables: dict[int, bool] = {}
    while len(body) > 17:
        count = sum(body[1:17])
        if body[0] >> 4 == 1:
            tables[body[0] & 15] = body[17] & 15 == 0 and body[17] != _SIXTEEN_ZEROS
        body = body[17 + count :]
    return tables
