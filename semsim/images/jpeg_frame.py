"""The frame of a JPEG: its size, and whether its scans bring the whole picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semsim.exceptions import CMYKImage, CorruptImage, SixteenBitImage, TruncatedImage, UnsupportedFormat
from semsim.images.jpeg_markers import DNL, FRAMES, SOS, JpegSegment

_PROGRESSIVE = frozenset({0xC2, 0xCA})
_DECODED = _PROGRESSIVE | {0xC0, 0xC1, 0xC9}
_MOST_SCANS = 100
"""Encoders write at most a dozen scans. Each passes over the whole picture, so that thousands take minutes."""
_UNSEEN = 99


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
    return JpegFrame(width, height, components, marker in _PROGRESSIVE)


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
