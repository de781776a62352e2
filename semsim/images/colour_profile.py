"""ICC profiles: the colours of a picture to those of sRGB, which screens show (ICC.1:2022).

The numbers of a picture in Adobe RGB or Display P3 mean other colours than the same numbers in sRGB. Little CMS makes
the conversion, band by band. A profile that cannot be read leaves unknown what the picture shows, so it is refused.
"""

import io
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from semsim.exceptions import CorruptImage
from semsim.images.jpeg_markers import APP2, JpegSegment

_MOST_KEPT_BYTES = 2**16
"""The conversions of larger profiles are made anew each time: they take far more memory than their bytes."""
_MOST_STEPS = 16
"""The steps of one conversion in a profile. A profile may name one step again and again, and Little CMS reads, keeps
and computes each: without this bound 5 KB take gigabytes, and minutes in one call."""
_MOST_BYTES = 4 * 2**20
"""The tables of printers take up to 3 MiB, and the profiles of cameras and screens a few KiB."""
_BAND_PIXELS = 2**18
_IN_JPEG = b"ICC_PROFILE\0"
_MODES = {"RGB": "RGB", "GRAY": "L"}
"""The modes of Pillow by the colour spaces that a profile may have."""
_DEVICES = frozenset({"scnr", "mntr", "prtr", "spac"})
_SRGB_LEVELS = 1
"""A profile that moves no colour by more than this is sRGB in another wording, and changes nothing."""


def to_srgb(pixels: NDArray[np.uint8], profile: bytes | None) -> NDArray[np.uint8]:
    """The pixels uint8 ``(H, W, 3)`` of a picture in the colours of sRGB; they are changed in place where they can be.

    A profile of another kind of colours than the pixels have, such as of CMYK beside RGB, is passed over, as viewers
    do: it was kept when the picture was converted. So is a profile of grey beside colours.

    Raises:
        CorruptImage: the profile cannot be read, or is larger than any that is in use.
    """
    if not profile:
        return pixels
    space = _space(profile)
    if space not in _MODES or (space == "GRAY" and not _is_grey(pixels)):
        return pixels
    convert = _kept_transform if len(profile) <= _MOST_KEPT_BYTES else _transform
    transform = convert(profile, _MODES[space])
    if transform is None:
        return pixels
    result = np.require(pixels, requirements=["C", "W"])
    rows = max(1, _BAND_PIXELS // result.shape[1])
    for start in range(0, len(result), rows):
        band = result[start : start + rows]
        image = Image.fromarray(band if space == "RGB" else np.ascontiguousarray(band[..., 0]))
        band[:] = np.asarray(transform.apply(image))
    return result


def profile_in_jpeg(data: bytes, segments: Sequence[JpegSegment]) -> bytes | None:
    """The profile that the segments APP2 of a JPEG hold together; None where they hold none.

    Raises:
        CorruptImage: a part is missing, or there are two of one number.
    """
    bodies = [data[one.start : one.stop] for one in segments if one.marker == APP2]
    parts = sorted(body[len(_IN_JPEG) :] for body in bodies if body.startswith(_IN_JPEG))
    if not parts:
        return None
    if [part[:2] for part in parts] != [bytes((number, len(parts))) for number in range(1, len(parts) + 1)]:
        raise CorruptImage(f"expected all parts of a colour profile, each once, got {len(parts)} others")
    return b"".join(part[2:] for part in parts)


def profile_in_png(body: memoryview) -> bytes:
    """The profile that the body of a PNG's chunk iCCP holds. No more is inflated than a profile may have.

    Raises:
        CorruptImage: the chunk holds none.
    """
    _, _, rest = bytes(body).partition(b"\0")
    stream = zlib.decompressobj()
    try:
        profile = stream.decompress(rest[1:], _MOST_BYTES + 1)
    except zlib.error:
        profile = b""
    if not profile or rest[:1] != b"\0":
        raise _unreadable("a compressed one that cannot be inflated")
    return profile


def _space(profile: bytes) -> str:
    """The colour space that the profile's header names."""
    if len(profile) > _MOST_BYTES:
        raise _unreadable(f"more than {_MOST_BYTES} bytes")
    if len(profile) < 132 or profile[36:40] != b"acsp":
        raise _unreadable(f"{len(profile)} bytes that are none")
    return profile[16:20].decode("latin-1").strip()


def _require_few_steps(profile: bytes) -> None:
    """Refuse a conversion of many steps (multiProcessElementsType; ICC.1:2022, 10.16)."""
    tags = int.from_bytes(profile[128:132], "big")
    for entry in range(132, min(132 + 12 * tags, len(profile)), 12):
        start = int.from_bytes(profile[entry + 4 : entry + 8], "big")
        steps = int.from_bytes(profile[start + 12 : start + 16], "big")
        if profile[start : start + 4] == b"mpet" and steps > _MOST_STEPS:
            raise _unreadable(f"a conversion of {steps} steps")


def _transform(profile: bytes, mode: str) -> Any:
    """The conversion of Little CMS from a profile to sRGB; None where the profile is that of sRGB."""
    _require_few_steps(profile)
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.device_class not in _DEVICES:
            raise _unreadable(f"one of the class {source.profile.device_class!r}")
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError) as error:
        raise _unreadable(f"a damaged one ({type(error).__name__})") from None
    levels = np.linspace(0, 255, 18).astype(np.uint8)
    if mode == "L":
        levels = np.arange(256, dtype=np.uint8)
        probe, plain = levels[None], np.repeat(levels[None, :, None], 3, axis=2)
    else:
        probe = plain = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(18, -1, 3)
    shown = np.asarray(transform.apply(Image.fromarray(probe)))
    moved = np.abs(shown.astype(np.int16) - plain).max()
    return None if moved <= _SRGB_LEVELS else transform


_kept_transform = lru_cache(maxsize=16)(_transform)


def _is_grey(pixels: NDArray[np.uint8]) -> bool:
    return bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 0] == pixels[..., 2]).all())


def _unreadable(got: str) -> CorruptImage:
    return CorruptImage(f"expected a colour profile that can be read, or none, got {got}")
