"""The format that the first bytes of an image claim, and a check of its end mark."""

from enum import Enum

from semsim.exceptions import NotAnImage, UnsupportedFormat


class ImageFormat(Enum):
    """The formats that are decoded; the values are Pillow's names."""

    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WEBP"


_UNSUPPORTED = {
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"\x00\x00\x01\x00": "ICO",
    b"8BPS": "Photoshop",
    b"\xff\x0a": "JPEG XL",
    b"\x00\x00\x00\x0cjP  ": "JPEG 2000",
    b"%PDF": "PDF",
}
_ISO_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF"}


def sniff(data: bytes) -> ImageFormat:
    """The format that the magic number at the start of ``data`` names.

    Raises:
        UnsupportedFormat: the format is known, but not decoded here; the message names it.
        NotAnImage: the magic number is none of a known image format.
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return ImageFormat.PNG
    if data.startswith(b"\xff\xd8\xff"):
        return ImageFormat.JPEG
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return ImageFormat.WEBP
    for magic, name in _UNSUPPORTED.items():
        if data.startswith(magic):
            raise UnsupportedFormat(f"expected PNG, JPEG or WebP, got {name}")
    if data[4:8] == b"ftyp" and data[8:12] in _ISO_BRANDS:
        raise UnsupportedFormat(f"expected PNG, JPEG or WebP, got {_ISO_BRANDS[data[8:12]]}")
    raise NotAnImage(f"expected a PNG, JPEG or WebP image, got {len(data)} bytes that are none of them")


def is_complete(data: bytes, image_format: ImageFormat) -> bool:
    """True where the file has its end mark: a damaged file has, a cut one has not."""
    match image_format:
        case ImageFormat.PNG:
            return b"IEND" in data[-16:]
        case ImageFormat.JPEG:
            return data.rstrip(b"\x00")[-2:] == b"\xff\xd9"
        case ImageFormat.WEBP:
            return len(data) >= 12 and int.from_bytes(data[4:8], "little") + 8 <= len(data)
