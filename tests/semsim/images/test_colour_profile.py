"""ICC profiles: a copy of a photograph in other colour numbers is the same picture."""

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image, ImageCms

from semsim import Scorer
from semsim.exceptions import CorruptImage, InvalidImage
from semsim.images import decode
from tests.conftest import IMAGES
from tests.encoded import encode, picture, png_chunk, raw_png
from tests.hostile_codecs import profile_of_many_steps

# The primaries of Adobe RGB (1998) and the white, in CIE XYZ under D50, as its specification gives them.
_ADOBE = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
_SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
_WHITE = (0.9642, 1.0, 0.8249)
_GAMMA = 563 / 256


def profile(space: bytes = b"RGB ", device: bytes = b"mntr") -> bytes:
    """A profile by hand: Adobe RGB of three matrix columns and a gamma, or grey of that gamma."""
    xyz = {name: b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65536 * x) for x in column)) for name, column in (
        (b"wtpt", _WHITE), (b"rXYZ", _ADOBE[:, 0]), (b"gXYZ", _ADOBE[:, 1]), (b"bXYZ", _ADOBE[:, 2]),
    )}  # fmt: skip
    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, 563)
    tags = xyz | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC", b"kTRC"), curve)
    start, table, content = 132 + 12 * len(tags), b"", b""
    for name, body in tags.items():
        table += name + struct.pack(">II", start + len(content), len(body))
        content += body
    header = struct.pack(">I4sI4s4s4s12s4s28s", start + len(content), b"none", 0x2100000, device, space, b"XYZ ",
                         bytes(12), b"acsp", bytes(28))  # fmt: skip
    header += struct.pack(">3i", *(round(65536 * x) for x in _WHITE)) + bytes(48)
    return header + struct.pack(">I", len(tags)) + table + content


def in_adobe_rgb(image: np.ndarray) -> np.ndarray:
    """The numbers in Adobe RGB of an image in sRGB, by the two specifications' own arithmetic."""
    values = image / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    other = linear @ _SRGB.T @ np.linalg.inv(_ADOBE).T
    return np.rint(255 * other.clip(0, 1) ** (1 / _GAMMA)).astype(np.uint8)


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """A photograph, small."""
    return np.asarray(Image.fromarray(decode(IMAGES / "cat.jpg")).resize((160, 120)))


@pytest.mark.parametrize(
    ("image_format", "options"),
    [("PNG", {}), ("WEBP", {"lossless": True}), ("JPEG", {"quality": 100, "subsampling": 0})],
    ids=["png", "webp", "jpeg"],
)
def test_a_copy_in_adobe_rgb_is_the_photograph(
    photograph: np.ndarray, image_format: str, options: dict[str, object]
) -> None:
    """Its numbers are 31 dB away, and the decoded picture is a copy, in files and in Pillow's memory."""
    data = encode(in_adobe_rgb(photograph), image_format, icc_profile=profile(), **options)
    plain = encode(in_adobe_rgb(photograph), image_format, **options)
    for source in (data, Image.open(io.BytesIO(data))):
        assert psnr(decode(source), photograph) > 42
    assert 25 < psnr(decode(plain), photograph) < 35


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """The peak signal-to-noise ratio of two images, dB."""
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


def test_a_copy_in_adobe_rgb_scores_as_the_photograph(bundled: Scorer, photograph: np.ndarray) -> None:
    """The copy leaks as the photograph does, to the third digit."""
    copy = encode(in_adobe_rgb(photograph), icc_profile=profile())
    assert bundled.score(photograph, copy).distance < 0.05
    assert bundled.score(photograph, in_adobe_rgb(photograph)).distance > 0.07


def test_the_profile_of_srgb_changes_no_pixel() -> None:
    """Most profiles are sRGB's own, and a decoder of another wording of it must not move levels."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(decode(encode(picture(), icc_profile=srgb)), picture())


def test_transparent_pictures_have_their_colours_before_they_lie_on_white() -> None:
    """White under a half transparent picture is white, whatever the profile."""
    image = np.dstack([in_adobe_rgb(picture()), np.full(picture().shape[:2], 128, dtype=np.uint8)])
    decoded = decode(encode(image, icc_profile=profile())).astype(int)
    assert np.abs(decoded - (picture() * (128 / 255) + 127)).mean() < 2


def test_grey_pictures_have_the_colours_of_grey_profiles() -> None:
    """A grey picture of gamma 2.2 has other levels in sRGB, three equal ones."""
    grey = np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[None], 8, axis=0)
    decoded = decode(encode(grey, icc_profile=profile(b"GRAY")))
    assert (decoded[..., 0] == decoded[..., 2]).all()
    assert 2 < np.abs(decoded[..., 0].astype(int) - grey).max() < 30


@pytest.mark.parametrize("space", [b"CMYK", b"Lab ", b"GRAY"])
def test_the_profile_of_other_colours_is_passed_over(space: bytes) -> None:
    """Programs keep the profile of a picture that they convert, and viewers pass over it."""
    np.testing.assert_array_equal(decode(encode(picture(), icc_profile=profile(space))), picture())


_CUT = profile()[:200]
_BOMB = zlib.compress(bytes(64 * 2**20), 9)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize(
    "broken",
    [b"no profile", bytes(500), _CUT, profile(device=b"link"), profile()[:128] + bytes(400)],
    ids=["text", "zeros", "cut", "device link", "no tags"],
)
def test_a_profile_that_cannot_be_read_is_refused(image_format: str, broken: bytes) -> None:
    """Nobody knows what such a picture shows: its numbers alone may look safe."""
    with pytest.raises(CorruptImage, match="expected a colour profile that can be read, or none, got"):
        decode(encode(picture(), image_format, icc_profile=broken))


@pytest.mark.parametrize("body", [b"icc\0\0" + _BOMB, b"icc\0\1" + zlib.compress(profile()), b"icc\0\0junk", b""])
def test_a_png_whose_profile_cannot_be_inflated_is_refused(body: bytes) -> None:
    """A bomb is inflated up to the size of the largest profile."""
    with pytest.raises(CorruptImage, match="colour profile"):
        decode(raw_png(8, 8, data=(b"\0" + bytes(24)) * 8, after=png_chunk(b"iCCP", body)))


@pytest.mark.parametrize("steps", [17, 100_000])
def test_a_conversion_of_many_steps_is_refused(steps: int) -> None:
    """A few KB may name one step for ever: each would be read, kept and computed."""
    body = b"p\0\0" + zlib.compress(profile_of_many_steps(steps))
    data = raw_png(8, 8, data=(b"\0" + bytes(24)) * 8, after=png_chunk(b"iCCP", body))
    with pytest.raises(CorruptImage, match=f"got a conversion of {steps} steps"):
        decode(data)


def test_a_jpeg_whose_profile_lacks_a_part_is_refused() -> None:
    """A large profile stands in several segments, which must all be there."""
    large = profile() + bytes(2 * 2**16)
    data = encode(in_adobe_rgb(picture(64, 64)), "JPEG", quality=95, icc_profile=large)
    assert psnr(decode(data), picture(64, 64)) > 30
    second = data.index(b"ICC_PROFILE\0\2")
    length = int.from_bytes(data[second - 2 : second], "big")
    with pytest.raises(CorruptImage, match="all parts of a colour profile"):
        decode(data[: second - 4] + data[second - 2 + length :])


def test_damaged_profiles_never_end_in_another_error() -> None:
    """Any byte of a profile may be wrong: the picture is decoded or refused."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(profile())
        for place in rng.integers(0, len(damaged), 4):
            damaged[place] = rng.integers(0, 256)
        with suppress(InvalidImage):
            assert decode(encode(picture(8, 8), icc_profile=bytes(damaged))).shape == (8, 8, 3)
