"""The decoder: the images that it takes, and the code with which it refuses each other one."""

import io
import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from semsim.exceptions import ErrorCode, InvalidArray, InvalidImage
from semsim.images import DecodeLimits, decode
from tests.encoded import animated, encode, oriented, picture, png_chunk, raw_png, sixteen_bit_png


def refused(source: object, **limits: int) -> ErrorCode:
    """The code with which ``source`` is refused."""
    with pytest.raises(InvalidImage) as caught:
        decode(source, limits=DecodeLimits(**limits))  # type: ignore[arg-type]
    assert "expected" in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize("options", [("PNG", {}), ("WEBP", {"lossless": True})], ids=["png", "webp"])
def test_lossless_formats_give_the_array_back(options: tuple[str, dict[str, bool]]) -> None:
    """A lossless file decodes to the very pixels that were encoded."""
    image = picture()
    np.testing.assert_array_equal(decode(encode(image, options[0], **options[1])), image)


def test_jpeg_decodes_as_pillow_does() -> None:
    """A JPEG gives what Pillow gives."""
    data = encode(picture(), "JPEG")
    np.testing.assert_array_equal(decode(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_paths_bytes_and_arrays_agree(tmp_path: Path) -> None:
    """One image is the same array whichever way it is given."""
    image = picture()
    path = tmp_path / "image.png"
    path.write_bytes(encode(image))
    for source in (path, str(path), path.read_bytes(), bytearray(path.read_bytes()), memoryview(path.read_bytes())):
        np.testing.assert_array_equal(decode(source), image)
    np.testing.assert_array_equal(decode(image), image)


def test_grey_becomes_three_equal_channels() -> None:
    """Grey files, 1-bit files and grey arrays become RGB."""
    grey = picture()[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=2)
    for source in (encode(grey), grey, grey[..., None]):
        np.testing.assert_array_equal(decode(source), expected)
    bits = Image.fromarray(grey).convert("1")
    np.testing.assert_array_equal(decode(encode(bits)), np.asarray(bits.convert("RGB")))


def test_palette_files_are_expanded() -> None:
    """A palette PNG decodes to its colours."""
    image = Image.fromarray(picture()).quantize(16)
    np.testing.assert_array_equal(decode(encode(image)), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("as_file", [True, False])
def test_transparency_is_shown_on_white(as_file: bool) -> None:
    """Transparent pixels are white, opaque ones untouched, in files and arrays."""
    image = np.dstack([picture(), np.full(picture().shape[:2], 255, dtype=np.uint8)])
    image[:8, :8, 3] = 0
    decoded = decode(encode(image) if as_file else image)
    assert (decoded[:8, :8] == 255).all()
    np.testing.assert_array_equal(decoded[8:], image[8:, :, :3])


def test_palette_transparency_is_shown_on_white() -> None:
    """A palette entry marked transparent is white."""
    image = Image.fromarray(np.repeat(np.arange(2, dtype=np.uint8), 32).reshape(8, 8), "P")
    image.putpalette([10, 20, 30] * 256)
    decoded = decode(encode(image, transparency=0))
    assert (decoded[:4] == 255).all()
    assert (decoded[4:] == (10, 20, 30)).all()


def _with_alpha(alpha: int) -> np.ndarray:
    return np.dstack([picture(), np.full(picture().shape[:2], alpha, dtype=np.uint8)])


@pytest.mark.parametrize("alpha", [0, 15])
@pytest.mark.parametrize(
    "options",
    [None, ("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("WEBP", {"quality": 90})],
    ids=["array", "png", "webp lossless", "webp"],
)
def test_what_transparency_hides_is_refused(options: tuple[str, dict[str, int]] | None, alpha: int) -> None:
    """A copy that shows white everywhere would score as a safe reconstruction."""
    image = _with_alpha(alpha)
    assert refused(image if options is None else encode(image, options[0], **options[1])) is ErrorCode.EMPTY_IMAGE


def test_a_palette_of_which_nothing_is_visible_is_refused() -> None:
    """A palette and a transparent grey hide pictures, too."""
    image = Image.fromarray(np.zeros((8, 8), dtype=np.uint8), "P")
    image.putpalette([10, 20, 30] * 256)
    assert refused(encode(image, transparency=0)) is ErrorCode.EMPTY_IMAGE
    assert refused(encode(np.zeros((8, 8), dtype=np.uint8), transparency=0)) is ErrorCode.EMPTY_IMAGE


def test_white_that_hides_nothing_and_faint_pictures_are_taken() -> None:
    """An opaque white picture with an alpha channel is one, and so is what can be seen through transparency."""
    white = np.full((8, 8, 4), 255, dtype=np.uint8)
    assert (decode(encode(white)) == 255).all()
    assert decode(_with_alpha(64)).min() < 240


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int, image_format: str) -> None:
    """All eight EXIF orientations give what Pillow's own exif_transpose gives."""
    data = oriented(orientation, image_format)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(decode(data), np.asarray(expected.convert("RGB")))


def test_an_unknown_orientation_is_ignored() -> None:
    """An orientation that EXIF does not define changes nothing."""
    np.testing.assert_array_equal(decode(oriented(99)), picture())


def test_a_phone_photograph_with_a_second_picture_is_its_first() -> None:
    """A multi-picture JPEG is the photograph, not an animation."""
    frames = [Image.fromarray(picture(seed=seed)) for seed in range(2)]
    data = encode(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert decode(data).shape == picture().shape


def test_each_way_to_be_unusable_has_its_own_code() -> None:
    """Every kind of unusable image is refused with its own code."""
    png = encode(picture())
    assert refused(b"") is ErrorCode.EMPTY_IMAGE
    assert refused(b"hello, world") is ErrorCode.NOT_AN_IMAGE
    for image_format in ("GIF", "BMP", "TIFF", "ICO"):
        assert refused(encode(picture(), image_format)) is ErrorCode.UNSUPPORTED_FORMAT
    assert refused(b"\0\0\0\x1cftypavif" + bytes(64)) is ErrorCode.UNSUPPORTED_FORMAT
    for colour in (0, 2, 4, 6):
        assert refused(sixteen_bit_png(colour)) is ErrorCode.SIXTEEN_BIT_IMAGE
    cmyk = Image.fromarray(picture()).convert("CMYK")
    assert refused(encode(cmyk, "JPEG")) is ErrorCode.CMYK_IMAGE
    for image_format in ("PNG", "WEBP"):
        assert refused(animated(image_format)) is ErrorCode.ANIMATED_IMAGE
    assert refused(raw_png(60_000, 60_000)) is ErrorCode.TOO_MANY_PIXELS
    assert refused(raw_png(9000, 9000)) is ErrorCode.TOO_MANY_PIXELS
    assert refused(png, max_pixels=24 * 32 - 1) is ErrorCode.TOO_MANY_PIXELS
    assert refused(png, max_bytes=len(png) - 1) is ErrorCode.TOO_MANY_BYTES
    assert refused(Path("/nowhere/at/all.png")) is ErrorCode.UNREADABLE_FILE


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_cut_files_are_truncated(image_format: str, part: float) -> None:
    """A file that ends anywhere behind its header is called truncated."""
    data = encode(picture(96, 96), image_format)
    assert refused(data[: int(len(data) * part)]) is ErrorCode.TRUNCATED_IMAGE


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}], ids=str
)
@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_a_cut_jpeg_with_an_end_mark_is_truncated(mode: str, options: dict[str, object], part: float) -> None:
    """A JPEG that was cut does not pass for its grey rest because an end mark was put behind the cut."""
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise).convert(mode), "JPEG", **options)
    assert decode(data).shape == (96, 96, 3)
    start = data.index(b"\xff\xda") + 16
    cut = data[: start + int((len(data) - start) * part)].rstrip(b"\xff") + b"\xff\xd9"
    assert refused(cut) is ErrorCode.TRUNCATED_IMAGE


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str)
@pytest.mark.parametrize("side", [7, 8, 33, 64])
def test_a_whole_jpeg_with_grey_in_its_corner_is_taken(side: int, options: dict[str, object]) -> None:
    """A picture that ends in middle grey is not called truncated."""
    image = picture(side, side).copy()
    image[side // 2 :] = 128
    assert decode(encode(image, "JPEG", **options)).shape == (side, side, 3)


def test_sixteen_bits_do_not_hide_behind_another_chunk() -> None:
    """A 16-bit PNG whose header is not its first chunk, or stands there twice, is refused."""
    eight_bits = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    for before in (png_chunk(b"tEXt", b"Comment\0hello"), png_chunk(b"IHDR", eight_bits)):
        for colour in (0, 2, 4, 6):
            assert refused(sixteen_bit_png(colour, before)) is ErrorCode.CORRUPT_IMAGE


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_transparent_grey_is_found_at_any_depth(depth: int) -> None:
    """The grey that a PNG calls transparent is shown white, and no other."""
    levels = 2**depth
    row = np.packbits(np.array([[level >> bit & 1 for bit in reversed(range(depth))] for level in range(levels)]))
    for transparent in {0, 1, levels - 1}:
        chunk = png_chunk(b"tRNS", struct.pack(">H", transparent))
        file = raw_png(levels, 1, depth=depth, colour=0, data=b"\0" + row.tobytes(), after=chunk)
        if depth == 1 and transparent == 0:
            assert refused(file) is ErrorCode.EMPTY_IMAGE  # white is left alone, on white
            continue
        decoded = decode(file)
        expected = np.round(np.arange(levels) * 255 / (levels - 1)).astype(np.uint8)
        expected[transparent] = 255
        np.testing.assert_array_equal(decoded[0, :, 0], expected)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """A device or a pipe, which may never end, is refused unread."""
    os.mkfifo(tmp_path / "pipe.png")
    for path in (Path("/dev/zero"), tmp_path / "pipe.png", tmp_path):
        assert refused(path) is ErrorCode.UNREADABLE_FILE


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    """A file over the limit is refused, also where its size is not told."""
    (tmp_path / "large.png").write_bytes(encode(picture()))
    assert refused(tmp_path / "large.png", max_bytes=100) is ErrorCode.TOO_MANY_BYTES
    assert refused(Path("/proc/self/maps"), max_bytes=100) is ErrorCode.TOO_MANY_BYTES


def test_damaged_files_are_corrupt() -> None:
    """A whole file with broken content is called corrupt."""
    assert refused(raw_png(8, 8, data=bytes(8 * 25) + b"surplus")) is ErrorCode.CORRUPT_IMAGE
    data = bytearray(encode(picture(96, 96)))
    data[60:90] = bytes(30)
    assert refused(bytes(data)) is ErrorCode.CORRUPT_IMAGE


@pytest.mark.parametrize(
    ("array", "code"),
    [
        (np.zeros((4, 4, 3), dtype=np.float32), ErrorCode.INVALID_ARRAY),
        (np.zeros((4, 4, 3), dtype=np.uint16), ErrorCode.INVALID_ARRAY),
        (np.zeros((4, 4, 2), dtype=np.uint8), ErrorCode.INVALID_ARRAY),
        (np.zeros((2, 4, 4, 3), dtype=np.uint8), ErrorCode.INVALID_ARRAY),
        (np.zeros((3,), dtype=np.uint8), ErrorCode.INVALID_ARRAY),
        (np.zeros((0, 4, 3), dtype=np.uint8), ErrorCode.EMPTY_IMAGE),
        (np.zeros((4, 0), dtype=np.uint8), ErrorCode.EMPTY_IMAGE),
    ],
)
def test_unusable_arrays_are_refused(array: np.ndarray, code: ErrorCode) -> None:
    """Arrays of another type or shape are refused, floats with a hint to the right function."""
    assert refused(array) is code


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (None, "NoneType"),
        (5, "int"),
        ([1, 2, 3], "list"),
        (picture().tolist(), "list"),
        (np.uint8(3), "numpy.uint8"),
        ({"b": 1}, "dict"),
        (io.BytesIO(encode(picture())), "_io.BytesIO"),
        (object, "type"),
    ],
)
def test_a_source_of_another_type_is_refused_by_its_name(source: object, kind: str) -> None:
    """Another type than bytes, paths and arrays is refused, and never converted: ``bytes(5)`` is five zeros."""
    with pytest.raises(InvalidArray, match=rf"expected encoded bytes, a path or a uint8 array.*, got {kind}"):
        decode(source)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["a\0b.png", "\ud800.png", "x" * 5000])
def test_a_path_that_no_file_can_have_is_unreadable(path: str) -> None:
    """A path that the system cannot take is refused with the code of unreadable files."""
    assert refused(path) is ErrorCode.UNREADABLE_FILE
    assert refused(Path(path)) is ErrorCode.UNREADABLE_FILE


def test_a_view_of_an_array_is_made_contiguous() -> None:
    """Flipped and strided views decode to plain arrays."""
    view = picture()[::-1, ::2]
    decoded = decode(view)
    assert decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded, view)


_SEEDS = [encode(picture(), "PNG"), encode(picture(), "JPEG"), encode(picture(), "WEBP"), oriented(6, "JPEG")]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(_SEEDS), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8), st.data())
def test_mutated_files_are_decoded_or_refused(seed: bytes, edits: list[tuple[int, int]], data: st.DataObject) -> None:
    """A file with any changes decodes to RGB or is refused with a code; no other error escapes."""
    mutated = bytearray(seed)
    for position, value in edits:
        mutated[position % len(mutated)] = value
    cut = data.draw(st.integers(0, len(mutated)))
    for content in (bytes(mutated), bytes(mutated[:cut]), bytes(mutated[cut:])):
        try:
            image = decode(content)
        except InvalidImage as error:
            assert error.code in ErrorCode
        else:
            assert image.dtype == np.uint8
            assert image.ndim == 3
            assert image.shape[2] == 3


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(content: bytes) -> None:
    """Bytes that are no image are refused, and the message does not repeat them."""
    with pytest.raises(InvalidImage) as caught:
        decode(content)
    if len(content) > 4 and content != b"farbfeld":  # a signature that is the name of its format
        assert repr(content)[2:-1] not in str(caught.value)


def test_an_immense_view_is_refused_before_it_is_copied() -> None:
    """A view of one byte that is repeated 10^12 times has too many bytes."""
    assert refused(memoryview(np.broadcast_to(np.uint8(0), (10**6, 10**6)))) is ErrorCode.TOO_MANY_BYTES
