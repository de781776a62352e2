"""The first bytes by which formats are known that are not decoded here, images and containers of arrays."""

import re

SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"II+\x00", "BigTIFF"),
    (0, b"MM\x00+", "BigTIFF"),
    (0, b"II\xbc\x01", "JPEG XR"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"qoif", "QOI"),
    (0, b"DDS ", "DDS"),
    (0, b"\xabKTX ", "KTX"),
    (0, b"\x13\xab\xa1\x5c", "ASTC"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"#?RGBE", "Radiance HDR"),
    (0, b"8BPS", "Photoshop"),
    (0, b"gimp xcf", "GIMP"),
    (0, b"farbfeld", "Farbfeld"),
    (0, b"icns", "ICNS"),
    (0, b"FLIF", "FLIF"),
    (0, b"BPG\xfb", "BPG"),
    (0, b"\x01\xda", "SGI"),
    (0, b"\x59\xa6\x6a\x95", "Sun raster"),
    (0, b"\x8aMNG\r\n", "MNG"),
    (0, b"\x8bJNG\r\n", "JNG"),
    (0, b"\x89PNG", "PNG whose first bytes were changed, as by a transfer of text"),
    (0, b"\xd7\xcd\xc6\x9a", "WMF"),
    (40, b" EMF", "EMF"),
    (0, b"%PDF", "PDF"),
    (0, b"%!PS", "PostScript"),
    (0, b"FUJIFILMCCD-RAW", "raw photograph"),
    (0, b"IIRO", "raw photograph"),
    (0, b"IIRS", "raw photograph"),
    (0, b"IIU\x00", "raw photograph"),
    (0, b"SIMPLE  =", "FITS"),
    (128, b"DICM", "DICOM"),
    (344, b"n+1\x00", "NIfTI"),
    (0, b"/* XPM */", "XPM"),
    (0, b"\x93NUMPY", "NumPy array"),
    (0, b"\x89HDF\r\n\x1a\n", "HDF5"),
    (0, b"MATLAB 5.0 MAT-file", "MATLAB"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM video"),
    (0, b"\x1f\x8b\x08", "gzip archive"),
    (0, b"\xfd7zXZ\x00", "xz archive"),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z archive"),
    (0, b"Rar!\x1a\x07", "RAR archive"),
    (257, b"ustar", "tar archive"),
)
"""The offset of each signature, its bytes, and the name of the format."""

PATTERNS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), name)
    for pattern, name in (
        # Two letters begin many texts: the headers behind them tell a picture.
        (rb"BM.{4}.{8}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00", "BMP"),
        (rb"BZh[1-9]\x31\x41\x59\x26", "bzip2 archive"),
        (rb"\x00\x00\x01\x00[^\x00]\x00", "ICO"),
        (rb"\x00\x00\x02\x00[^\x00]\x00", "CUR"),
        (rb"\x0a[\x00\x02-\x05][\x00\x01][\x01\x02\x04\x08]", "PCX"),
        (rb"P[1-6](?>\s++|#[^\n]*+\n)+\d", "Netpbm"),
        (rb"P7\nWIDTH|P7\n#|P7\n[A-Z]+ \d", "Netpbm"),
        (rb"P[Ff]\s\d+\s\d+\s[-+]?\d", "PFM"),
        (rb"#define \w+_width \d", "XBM"),
        (rb"\x80[\x02-\x05](?:\x95.{8}|[\x8a}\](csX])", "Python pickle, such as an old PyTorch file"),
        (rb".{4}\x00{4}\{[\"}]", "safetensors"),
        # The root of the document is <svg>; a declaration, comments and a document type may stand before it.
        (
            rb"(?:\xef\xbb\xbf)?(?>\s++|<\?(?:(?!\?>).)*+\?>|<!--(?:(?!-->).)*+-->"
            rb"|<!DOCTYPE[^\[>]*+(?:\[[^\]]*+\]\s*+)?>)*+<(?:\w+:)?svg\b",
            "SVG",
        ),
        # A TGA has no signature: its colour map, kind, size and depth have few possible values.
        (
            rb".(?:\x00[\x02\x03\x0a\x0b].{2}\x00{2}.|\x01[\x01\x09].{4}[\x0f\x10\x18\x20])"
            rb".{4}(?!\x00\x00)..(?!\x00\x00)..[\x08\x0f\x10\x18\x20][\x00-\x3f]",
            "TGA",
        ),
    )
)
"""Formats whose first bytes have to be looked at more closely."""

ISO_BRANDS: tuple[tuple[frozenset[bytes], str], ...] = (
    (frozenset({b"avif", b"avis"}), "AVIF"),
    (frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"}), "HEIC"),
    (frozenset({b"mif1", b"mif2", b"msf1", b"miaf", b"1pic", b"j2ki", b"jpeg", b"avci", b"vvic"}), "HEIF"),
    (frozenset({b"crx "}), "raw photograph"),
)
"""The brands of ISO base media files (ISO/IEC 14496-12) that are pictures: a file has the name of the first."""
