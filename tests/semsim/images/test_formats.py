"""The names of formats, by their first bytes."""

import io
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from semsim.exceptions import InvalidImage, NotAnImage, UnsupportedFormat
from semsim.images import decode
from semsim.images.formats import HEAD_BYTES, ImageFormat, sniff
from tests.encoded import encode, picture


def iso_media(major: bytes, *compatible: bytes) -> bytes:
    """The start of an ISO media file."""
    body = b"ftyp" + major + bytes(4) + b"".join(compatible)
    return struct.pack(">I", 4 + len(body)) + body + b"\0\0\0\x08mdat"


def numpy_file(*, archive: bool) -> bytes:
    """The bytes of a ``.npy`` or ``.npz``."""
    buffer = io.BytesIO()
    if archive:
        np.savez(buffer, picture())
    else:
        np.save(buffer, picture())
    return buffer.getvalue()


def pytorch_file() -> bytes:
    """A ZIP file with the members that ``torch.save`` writes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("model/data.pkl", b"")
    return buffer.getvalue()


NAMES = {
    "GIF": encode(picture(), "GIF"),
    "BMP": encode(picture(), "BMP"),
    "TIFF": encode(picture(), "TIFF"),
    "BigTIFF": encode(picture(), "TIFF", big_tiff=True),
    "ICO": encode(picture(), "ICO"),
    "ICNS": encode(picture(), "ICNS"),
    "PCX": encode(picture(), "PCX"),
    "SGI": encode(picture(), "SGI"),
    "DDS": encode(picture(), "DDS"),
    "Netpbm": encode(picture(), "PPM"),
    "TGA": encode(picture(), "TGA"),
    "XBM": encode(Image.fromarray(picture()).convert("1"), "XBM"),
    "PDF": encode(picture(), "PDF"),
    "PostScript": encode(picture(), "EPS"),
    "JPEG 2000": encode(picture(), "JPEG2000"),
    "AVIF": encode(picture(), "AVIF"),
    "HEIC": iso_media(b"heic", b"mif1"),
    "HEIF": iso_media(b"mif1", b"xxxx"),
    "MP4 or another ISO media file": iso_media(b"isom", b"mp42"),
    "JPEG XL": b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl ",
    "OpenEXR": b"\x76\x2f\x31\x01\x02\0\0\0channels\0chlist",
    "QOI": b"qoif\0\0\0\x08\0\0\0\x08\x03\0",
    "Radiance HDR": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 8 +X 8\n",
    "Photoshop": b"8BPS\0\x01" + bytes(20),
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "NumPy array": numpy_file(archive=False),
    "NumPy archive": numpy_file(archive=True),
    "PyTorch file": pytorch_file(),
    "safetensors": struct.pack("<Q", 2) + b"{}",
    "Python pickle": b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
    "RIFF file that is no WebP": b"RIFF\x10\0\0\0AVI LIST",
    "PNG whose first bytes were changed": encode(picture()).replace(b"\r\n", b"\n"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_format_that_is_not_decoded_is_told_by_its_name(name: str) -> None:
    """The refusal names the format, and the first bytes are enough for it."""
    for data in (NAMES[name], NAMES[name][:HEAD_BYTES]):
        with pytest.raises(UnsupportedFormat, match=f"expected PNG, JPEG or WebP, got {name}"):
            decode(data)


@pytest.mark.parametrize("name", sorted(NAMES.keys() - {"SVG"}))
def test_64_bytes_are_enough(name: str) -> None:
    """All formats show in their first 64 bytes, but an SVG that begins with comments."""
    with pytest.raises(UnsupportedFormat, match=name):
        sniff(NAMES[name][:64])


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (iso_media(b"own ", b"mif1", b"hevx"), "HEIC"),
        (iso_media(b"MiHE", b"heic"), "HEIC"),
        (iso_media(b"mif1", b"avif"), "AVIF"),
        (iso_media(b"miaf"), "HEIF"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\xff\x4f\xff\x51\0\x2f", "JPEG 2000"),
        (b"P1 # two lines\n# of comments\n2 2 0 1 1 0", "Netpbm"),
        (b"P7\nWIDTH 4\n", "Netpbm"),
        (encode(picture(), "TGA", compression="tga_rle"), "TGA"),
        (encode(Image.fromarray(picture()).quantize(9), "TGA"), "TGA"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- <b> --><!DOCTYPE svg [<!ENTITY a 'b'>]>\n<svg:svg>", "SVG"),
    ],
)
def test_variants_of_a_format_have_its_name(data: bytes, name: str) -> None:
    """Brands, comments, compressions and prefixes do not hide a format."""
    with pytest.raises(UnsupportedFormat, match=f"got {name}"):
        sniff(data)


@pytest.mark.parametrize(
    "text",
    [
        b"BMI,age\n21,33\n",
        b"P1 was the first run\n",
        b"P5\nis a road\n",
        b"II. Results\n",
        b"name,leakage\n1.png,.5\n",
        b"{'a': 1}",
        b"<html><body><svg></svg></body></html>",
        b"<!-- <svg> -->\n<p>",
        b"<!--" * 250,
        b"<!---->" * 140,
        b"<!DOCTYPE a>" * 80,
        b"P5 " + b"#\n" * 500,
        "Übung".encode(),
        "\ufeffname;value\n".encode("utf-16-le"),
        bytes(200),
        b"PAR1\x15\x04\x15",
    ],
)
def test_texts_and_tables_are_no_images(text: bytes) -> None:
    """A text that begins with the letters of a format, or mentions one, is not taken for it, and quickly so."""
    with pytest.raises(NotAnImage):
        sniff(text)


def test_decoded_formats_are_told() -> None:
    """The formats that are decoded are told from their first 12 bytes."""
    for image_format in ImageFormat:
        assert sniff(encode(picture(), image_format.value)[:12]) is image_format


def _has_imagemagick() -> bool:
    """True where ``convert`` is ImageMagick's own, and no other program of that name."""
    convert = shutil.which("convert")
    told = convert and subprocess.run([convert, "-version"], check=False, capture_output=True).stdout
    return bool(told) and told.startswith(b"Version: ImageMagick")


@pytest.mark.skipif(not _has_imagemagick(), reason="needs ImageMagick")
@pytest.mark.parametrize("suffix", ["pgm", "pam", "pfm", "hdr", "psd", "xpm", "mng", "sun", "tga", "cur"])
def test_what_imagemagick_writes_has_a_name(suffix: str, tmp_path: Path) -> None:
    """The files of another writer are told by name."""
    (tmp_path / "in.png").write_bytes(encode(picture()))
    written = tmp_path / f"out.{suffix}"
    subprocess.run(["convert", tmp_path / "in.png", f"{suffix}:{written}"], check=True, capture_output=True)
    with pytest.raises(UnsupportedFormat):
        decode(written)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(NAMES)), st.integers(0, 64), st.binary(max_size=40))
def test_any_start_has_a_name_or_none(name: str, cut: int, rest: bytes) -> None:
    """Cut and mixed starts of files are named or refused; no other error escapes."""
    try:
        sniff(NAMES[name][:cut] + rest)
    except InvalidImage as error:
        assert "expected" in str(error)
