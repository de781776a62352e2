"""Valid files of every encoder at hand."""

import io
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

_PILLOW: dict[str, list[dict[str, Any]]] = {
    "JPEG": [
        *({"quality": quality, "subsampling": sampling} for quality in (5, 75, 100) for sampling in (0, 1, 2)),
        *({"quality": 85, "progressive": True, "optimize": optimize} for optimize in (False, True)),
        *({"quality": 85, "restart_marker_rows": rows, "progressive": rows == 1} for rows in (1, 2)),
        {"quality": 85, "restart_marker_blocks": 3},
        {"quality": 85, "icc_profile": bytes(200_000), "comment": b"a comment"},
    ],
    "PNG": [{}, {"optimize": True}, {"compress_level": 0}, {"compress_level": 9}, {"icc_profile": bytes(3 * 2**20)}],
    "WEBP": [
        *({"quality": quality, "method": method} for quality in (0, 80, 100) for method in (0, 4, 6)),
        *({"lossless": True, "quality": quality, "method": method} for quality in (0, 100) for method in (0, 6)),
        {"lossless": True, "exact": True, "icc_profile": bytes(5000)},
    ],
}
_MODES = {"JPEG": ("RGB", "L"), "PNG": ("RGB", "L", "1", "P", "RGBA", "LA"), "WEBP": ("RGB", "RGBA")}
TOOLS: dict[str, tuple[str, str, str]] = {
    "ImageMagick, JPEG": (
        "convert {in} {} {out}.jpg",
        "png",
        "-quality 92; -interlace Plane; -sampling-factor 2x1,1x2,1x1; -sampling-factor 4:1:1; -colorspace Gray",
    ),
    "ImageMagick, PNG": (
        "convert {in} -depth 8 {} {out}.png",
        "png",
        "-strip; -interlace PNG; -colors 5; -monochrome; -alpha on -channel A -evaluate set 50%",
    ),
    "ImageMagick, WebP": (
        "convert {in} {} {out}.webp",
        "png",
        "-quality 75; -define webp:lossless=true; -define webp:partitions=3; -define webp:partition-limit=90",
    ),
    "cjpeg": (
        "cjpeg {} -outfile {out}.jpg {in}",
        "ppm",
        "-arithmetic; -arithmetic -progressive; -progressive; -restart 1; -restart 5B -progressive; -rgb; -sample 1x2;"
        "-sample 4x1; -optimize -quality 30; -dct float; -grayscale; -baseline -quality 3",
    ),
    "jpegtran": (
        "jpegtran {} -copy all -outfile {out}.jpg {in}",
        "jpg",
        "-progressive; -arithmetic; -restart 2; -optimize -rotate 90 -trim; -grayscale",
    ),
    "cwebp": (
        "cwebp -quiet {} {in} -o {out}.webp",
        "png",
        "-q 90; -lossless; -near_lossless 40; -preset icon; -segments 1 -f 0; -pass 5 -size 3000; -jpeg_like;"
        "-partition_limit 80; -strong -sharpness 7; -z 9; -metadata all -m 0",
    ),
    "pngcrush": ("pngcrush -q {} {in} {out}.png", "png", "-l 9; -m 4; -c 0"),
    "optipng": ("optipng -quiet {} {in} -out {out}.png", "png", "-o2; -i1; -f0-5"),
    "zopflipng": ("zopflipng -y {} {in} {out}.png", "png", "--iterations=1; --filters=0me"),
}
"""The command, the format that it reads, and its options, by the name of the encoder."""


def pillow_files(picture: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Yield a picture as Pillow writes it, in all formats, modes and options, with the encoder's name."""
    faded = picture.convert("RGBA")
    faded.putalpha(picture.convert("L"))
    for image_format, choices in _PILLOW.items():
        for mode in _MODES[image_format]:
            image = faded if mode == "RGBA" else faded.convert(mode)
            for options in choices:
                buffer = io.BytesIO()
                image.save(buffer, image_format, **options)
                yield f"Pillow, {image_format.replace('WEBP', 'WebP')}", buffer.getvalue()


def tool_files(picture: Image.Image, encoder: str) -> Iterator[bytes] | None:
    """The files that a tool writes of a picture with each of its options, or None where it is not installed."""
    command, suffix, choices = TOOLS[encoder]
    if shutil.which(command.partition(" ")[0]) is None:
        return None
    return _run(picture, command, suffix, choices)


def _run(picture: Image.Image, command: str, suffix: str, choices: str) -> Iterator[bytes]:
    for options in choices.split(";"):
        with tempfile.TemporaryDirectory(prefix="semsim-damage-") as folder:
            read = Path(folder) / f"read.{suffix}"
            picture.save(read)
            line = command.replace("{in}", str(read)).replace("{out}", f"{folder}/written").replace("{}", options)
            subprocess.run(line.split(), check=True, capture_output=True)
            written = next(Path(folder).glob("written.*"), None)
            if written is not None:
                yield written.read_bytes()
