"""The format that the first bytes of a file claim."""

from enum import Enum

from semsim.exceptions import NotAnImage, UnsupportedFormat
from semsim.images.signatures import ISO_BRANDS, PATTERNS, SIGNATURES

HEAD_BYTES = 1024
"""The number of first bytes that :func:`sniff` looks at; most formats show in the first 16."""


class ImageFormat(Enum):
    """The formats that are decoded; the values are Pillow's names."""

    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WEBP"


def sniff(data: bytes) -> ImageFormat:
    """The format that the start of ``data`` names. It looks at no more than the first ``HEAD_BYTES``.

    Raises:
        UnsupportedFormat: the format is known, but not decoded here; the message names it.
        NotAnImage: the bytes are of no known format that could hold an image.
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return ImageFormat.PNG
    if data.startswith(b"\xff\xd8\xff"):
        return ImageFormat.JPEG
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return ImageFormat.WEBP
    name = _unsupported(bytes(data[:HEAD_BYTES]))
    if name is None:
        raise NotAnImage(f"expected a PNG, JPEG or WebP image, got {len(data)} bytes that are none of them")
    raise UnsupportedFormat(f"expected PNG, JPEG or WebP, got {name}")


def _unsupported(head: bytes) -> str | None:
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    if head.startswith(b"PK\x03\x04"):
        return _zip(head)
    if head.startswith(b"RIFF"):
        return "RIFF file that is no WebP"
    for offset, signature, name in SIGNATURES:
        if head.startswith(signature, offset):
            return name
    return next((name for pattern, name in PATTERNS if pattern.match(head)), None)


def _iso_media(head: bytes) -> str:
    """The major brand of an ISO media file may be a maker's own: the compatible brands behind it tell the format."""
    end = max(12, min(int.from_bytes(head[:4], "big"), len(head)))
    brands = {head[start : start + 4] for start in range(8, end, 4)}
    return next((name for known, name in ISO_BRANDS if brands & known), "MP4 or another ISO media file")


def _zip(head: bytes) -> str:
    """The name of the first member of a ZIP file tells who wrote it."""
    member = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    if member.endswith(b".npy"):
        return "NumPy archive"
    if member.endswith(b"/data.pkl"):
        return "PyTorch file"
    return "ZIP archive"
