"""Damaged pictures are refused, and nothing that stands beside a whole picture makes it fail."""

import io
import os
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from semsim.exceptions import CorruptImage, InvalidImage, TooManyPixels, TruncatedImage, UnsupportedFormat
from semsim.images import DecodeLimits, decode
from semsim.images.webp_chunks import wrap
from semsim.pixel_metrics import mse, psnr
from tests.encoded import encode, picture, png_chunk, raw_png
from tests.semsim.images.damaging import JPEG_END, WHOLE, cut_and_ended, photograph, scans, with_rows

DAMAGED = (TruncatedImage, CorruptImage)
TAILS = {
    "nothing": b"",
    "newline": b"\n",
    "NUL": b"\0",
    "CRLF": b"\r\n",
    "junk": b"junk" * 9,
    "MP4": b"\0\0\0\x18ftypmp42",
}
EXAMPLES = int(os.environ.get("SEMSIM_DAMAGED_PICTURES", "400"))


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("kind", WHOLE)
def test_what_stands_behind_a_whole_picture_changes_nothing(kind: str, tail: str) -> None:
    """A video behind a JPEG, or junk behind the end of any picture, is not looked at."""
    data = WHOLE[kind][0]
    np.testing.assert_array_equal(decode(data + TAILS[tail]), decode(data))


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("kind", WHOLE)
def test_a_cut_picture_with_an_end_mark_is_refused(kind: str, part: float, tail: str) -> None:
    """Neither an end mark nor what stands behind it hides that a picture was cut."""
    with pytest.raises(DAMAGED):
        decode(cut_and_ended(WHOLE[kind][0], part) + TAILS[tail])


@pytest.mark.parametrize("keep", [0, 12])
@pytest.mark.parametrize("part", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("kind", WHOLE)
def test_a_picture_with_zeros_at_its_end_is_refused(kind: str, part: float, keep: int) -> None:
    """A file whose tail was never written is refused, also where its last bytes are there."""
    data = WHOLE[kind][0]
    start = int(len(data) * part)
    with pytest.raises(DAMAGED):
        decode(data[:start] + bytes(len(data) - start - keep) + data[len(data) - keep :])


@pytest.mark.parametrize("kind", WHOLE)
def test_two_halves_of_two_pictures_are_refused(kind: str) -> None:
    """The second half of another picture is not scored as that of this one."""
    first, second = WHOLE[kind]
    with pytest.raises(DAMAGED):
        decode(first[: len(first) // 2] + second[len(second) // 2 :])


def test_every_changed_bit_of_a_png_is_refused() -> None:
    """The checksums of a PNG tell each changed bit, wherever it is."""
    data = encode(picture(8, 8))
    for position in range(8, len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[position] ^= 1 << bit
            with pytest.raises(InvalidImage):
                decode(bytes(changed))


@pytest.mark.parametrize("part", [0.0, 0.25, 0.99])
def test_a_png_with_few_rows_is_truncated(part: float) -> None:
    """A stream that is whole and has the right checksums, but holds fewer rows, is a cut picture."""
    image = photograph()
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    np.testing.assert_array_equal(decode(with_rows(encode(image), rows)), image)
    with pytest.raises(TruncatedImage, match="rows"):
        decode(with_rows(encode(image), rows[: int(len(rows) * part)]))
    with pytest.raises(CorruptImage, match="rows"):
        decode(with_rows(encode(image), rows + b"\0"))
    with pytest.raises(CorruptImage, match="filters"):
        decode(with_rows(encode(image), b"\5" + rows[1:]))


@pytest.mark.parametrize("width", [1, 3, 5, 9, 16])
@pytest.mark.parametrize("height", [1, 2, 4, 5, 17])
def test_interlaced_pngs_have_all_their_passes(width: int, height: int) -> None:
    """The rows of the seven passes are counted as the specification counts them; empty passes have none."""
    values = np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)
    grid = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    passes = [values[row::down, column::across] for column, row, across, down in grid]
    rows = b"".join(b"\0" + line.tobytes() for part in passes if part.size for line in part)
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 1))
    start, end = b"\x89PNG\r\n\x1a\n" + header, png_chunk(b"IEND", b"")
    np.testing.assert_array_equal(decode(start + png_chunk(b"IDAT", zlib.compress(rows)) + end)[..., 0], values)
    with pytest.raises(TruncatedImage):
        decode(start + png_chunk(b"IDAT", zlib.compress(rows[:-1])) + end)


@pytest.mark.parametrize("name", [b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"prVt"])
@pytest.mark.parametrize("size", [10, 3 * 2**20])
def test_metadata_never_makes_a_png_fail(name: bytes, size: int) -> None:
    """Metadata of any size and content is passed over, bombs in it too, which stay compressed."""
    bomb = zlib.compress(bytes(64 * 2**20), 9)
    for body in (b"Raw profile type exif\0\0" + bomb, b"parameters\0" + b"a" * size, bytes(size), b"\0\0" + bomb):
        data = raw_png(8, 8, data=(b"\0" + bytes(24)) * 8, after=png_chunk(name, body))
        assert decode(data).shape == (8, 8, 3)


def test_a_bomb_of_rows_is_not_inflated() -> None:
    """A picture of few pixels with a stream of many bytes is refused when it has given one byte more than its rows."""
    with pytest.raises(CorruptImage, match="got more"):
        decode(raw_png(8, 8, data=bytes(2**28)))


def test_apples_png_is_told_by_name() -> None:
    """The variant that Apple's tools write for telephones is no valid PNG, and is told."""
    with pytest.raises(UnsupportedFormat, match="CgBI"):
        decode(raw_png(8, 8, before=png_chunk(b"CgBI", bytes(4))))


def test_a_cut_first_picture_of_several_is_refused() -> None:
    """The pictures behind the first one of an MPO hide nothing, and damage in them is not the first one's."""
    pictures = [Image.fromarray(photograph(seed=seed)) for seed in range(2)]
    data = encode(pictures[0], "MPO", save_all=True, append_images=pictures[1:])
    end = data.index(b"\xff\xd8\xff", 1000)
    whole = decode(data)
    np.testing.assert_array_equal(decode(data[: end + 500]), whole)
    for part in (0.5, 0.9):
        for mark in (b"", JPEG_END):
            with pytest.raises(TruncatedImage):
                decode(data[: int(end * part)] + mark + data[end:])


def test_a_progressive_jpeg_needs_all_its_scans() -> None:
    """A file that was cut between two scans is a valid stream; its missing coefficients tell."""
    data = WHOLE["progressive"][0]
    starts = scans(data)
    assert len(starts) > 4
    for start in starts[1:]:
        with pytest.raises(TruncatedImage, match="coefficients"):
            decode(data[:start] + JPEG_END)


def test_junk_between_segments_and_behind_the_data_of_a_jpeg_is_passed_over() -> None:
    """Cameras leave bytes between segments and pad the coded data: both only make the library warn."""
    data = WHOLE["jpeg"][0]
    scan = data.index(b"\xff\xda")
    for valid in (data[:scan] + b"\0\0" + data[scan:], data[:-2] + bytes(5) + data[-2:], data[:2] + b"\xff" + data[2:]):
        np.testing.assert_array_equal(decode(valid), decode(data))


@pytest.mark.parametrize("kind", ["jpeg", "progressive", "png", "webp", "lossless"])
def test_plain_and_patterned_pictures_are_whole(kind: str) -> None:
    """Pictures that compress to long runs of zeros are not taken for damaged ones."""
    options = {
        "jpeg": ("JPEG", {"optimize": True}),
        "progressive": ("JPEG", {"progressive": True, "quality": 95}),
        "png": ("PNG", {}),
        "webp": ("WEBP", {}),
        "lossless": ("WEBP", {"lossless": True}),
    }[kind]
    columns, rows = np.meshgrid(np.arange(400), np.arange(300))
    for pattern in (
        columns * 0,
        columns * 0 + 255,
        (columns + rows) % 2 * 255,
        columns % 8 * 30,
        columns // 2,
        rows // 32 * 25,
    ):
        image = np.repeat(pattern.astype(np.uint8)[..., None], 3, axis=2)
        for size in (image, image[:9, :9], image[:64, :64]):
            assert decode(encode(size, options[0], **options[1])).shape == size.shape


@pytest.mark.skipif(shutil.which("cjpeg") is None, reason="needs libjpeg-turbo's tools")
@pytest.mark.parametrize(
    "options",
    [
        "-arithmetic",
        "-arithmetic -progressive",
        "-restart 1",
        "-restart 5B -progressive",
        "-sample 2x1,1x2,1x1",
        "-scans",
    ],
)
def test_valid_jpegs_of_every_process_are_taken(options: str, tmp_path: Path) -> None:
    """Arithmetic coding, restart markers, odd subsampling and a scan for each channel are valid; cut files are not."""
    (tmp_path / "scans").write_text("0;1;2;\n")
    Image.fromarray(photograph()).save(tmp_path / "in.ppm")
    arguments = [
        *options.split(),
        *([str(tmp_path / "scans")] if options == "-scans" else []),
        str(tmp_path / "in.ppm"),
    ]
    data = subprocess.run(["cjpeg", *arguments], check=True, capture_output=True).stdout
    np.testing.assert_array_equal(decode(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    with pytest.raises(DAMAGED):
        decode(cut_and_ended(data, 0.6))


@pytest.mark.skipif(shutil.which("cjpeg") is None, reason="needs libjpeg-turbo's tools")
@pytest.mark.parametrize("options", [[], ["-progressive"]])
def test_a_large_arithmetic_jpeg_is_taken(options: list[str], tmp_path: Path) -> None:
    """Arithmetic data of more than 64 KiB, which Pillow calls truncated, are decoded."""
    Image.fromarray(photograph(900, 1200)).save(tmp_path / "in.ppm")
    command = ["cjpeg", "-arithmetic", "-quality", "95", *options, tmp_path / "in.ppm"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    assert len(data) > 2**16
    assert decode(data).shape == (900, 1200, 3)


@pytest.mark.parametrize("options", [{}, {"lossless": True}])
def test_the_transparency_of_a_webp_must_be_whole(options: dict[str, bool]) -> None:
    """Zeros in the chunk of transparency are damage, too, and a whole one is none."""
    image = np.dstack([photograph(), photograph(seed=3)[..., 0]])
    data = encode(image, "WEBP", **options)
    assert decode(data).shape == (96, 128, 3)
    start = (data.index(b"ALPH") if b"ALPH" in data else 20) + 2000
    with pytest.raises(DAMAGED):
        decode(data[:start] + bytes(3000) + data[start + 3000 :])


@pytest.mark.parametrize("part", [0.4, 0.6, 0.8, 0.95])
@pytest.mark.parametrize("tail", [b"\xff\xd9\r\n", b"junk", b"\xff", b"\x01"])
def test_other_bytes_behind_a_cut_in_small_lossy_data_are_refused(part: float, tail: bytes) -> None:
    """Other bytes last about as long as those of a small picture: of one in five the length alone does not tell."""
    for seed in range(12):
        data = encode(photograph(40, 56, seed), "WEBP", quality=70)
        start = 20 + int(part * (len(data) - 20))
        damaged = data[:start] + (tail * len(data))[: len(data) - start]
        with pytest.raises(DAMAGED):
            decode(damaged)


def test_small_lossy_webp_files_are_whole() -> None:
    """The end of a whole file, and blocks beyond its edges, are not taken for damage, whatever its size and content."""
    rng = np.random.default_rng(0)
    for seed in range(150):
        height, width = (int(side) for side in rng.integers(1, 70, 2))
        image = photograph(height, width, seed)
        if seed % 3 == 1:
            image = np.full_like(image, seed)
        elif seed % 3 == 2:
            image = image // 128 * 255
        options = {"quality": int(rng.choice([0, 30, 75, 100])), "method": int(rng.choice([0, 4, 6]))}
        for mode in (image, np.dstack([image, rng.integers(99, 256, (height, width), dtype=np.uint8)])):
            assert decode(encode(mode, "WEBP", **options)).shape == image.shape


def lossless_with_a_rare_last_pixel(count: int) -> bytes:
    """A lossless WebP (RFC 9649) of ``count`` black pixels of 3 bits each, and one last pixel of 45 bits."""
    repeated = {18: 4, **dict.fromkeys(range(1, 16), 4)}  # the lengths of the codes of lengths
    order = (17, 18, 0, 1, 2, 3, 4, 5, 16, *range(6, 16))
    bits = f"{count:014b}"[::-1] + "0" * 14 + "0000" + "000"  # the size, the version; no transforms
    for alphabet in (280, 256, 256):  # green, red and blue: symbols 0 to 15 have codes of 1 to 15 bits
        bits += "0" + "1111" + "".join(f"{repeated.get(symbol, 0):03b}"[::-1] for symbol in order) + "0"
        bits += "".join(f"{min(symbol, 14):04b}" for symbol in range(16))
        bits += "1111" + f"{138 - 11:07b}"[::-1] + "1111" + f"{alphabet - 16 - 138 - 11:07b}"[::-1]
    bits += "1000" * 2 + "000" * count + "1" * 45  # alpha and distance have one symbol
    body = b"\x2f" + bytes(int(bits[start : start + 8][::-1], 2) for start in range(0, len(bits), 8))
    return wrap(b"VP8L", body)


@pytest.mark.parametrize("count", range(100, 108))
def test_the_last_pixel_of_a_lossless_webp_may_take_many_bytes(count: int) -> None:
    """The library decodes such a pixel beyond the end of its data: it is another one then, and the file is whole."""
    data = lossless_with_a_rare_last_pixel(count)
    image = decode(data)
    assert image.shape == (1, count + 1, 3)
    assert not image[0, :-1].any()
    assert image[0, -1].tolist() == [15, 15, 15]


def test_an_animation_of_one_frame_must_be_whole() -> None:
    """The data of the frame are checked as those of a still picture."""
    for lossless in (False, True):
        still = WHOLE["lossless" if lossless else "webp"][0]
        frame = bytes(6) + (127).to_bytes(3, "little") + (95).to_bytes(3, "little") + bytes(4) + still[12:]
        canvas = b"VP8X" + struct.pack("<II", 10, 2) + frame[6:12]
        parts = canvas + b"ANIM" + struct.pack("<IIH", 6, 0, 0) + b"ANMF" + struct.pack("<I", len(frame)) + frame
        data = b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WEBP" + parts
        np.testing.assert_array_equal(decode(data), decode(still))
        start = len(data) // 2
        for damaged in (data[:start] + bytes(len(data) - start), data[:start] + b"junk" * ((len(data) - start) // 4)):
            with pytest.raises(DAMAGED):
                decode(damaged)


def test_sizes_are_checked_before_a_webp_is_decoded() -> None:
    """A WebP that claims many pixels is refused by its header."""
    for kind in ("webp", "lossless"):
        with pytest.raises(TooManyPixels):
            decode(WHOLE[kind][0], limits=DecodeLimits(max_pixels=96 * 128 - 1))


# Where a changed bit or a splice gives valid codes that use up the data, no decoder of JPEG or WebP can tell:
# docs/damaged-pictures.md has the shares. What is cut or never written is found in every format.
_CHECKED = {"cut": WHOLE, "zeroed": WHOLE, "spliced": ("png",), "flipped": ("png",)}


def damage_picture(damage: str, kind: str, positions: tuple[float, float, float], tail: str) -> bytes:
    """A picture after one damage; the positions are shares of files and of the bits of a byte."""
    data, other = WHOLE[kind]
    first, second, third = positions
    start, stop = sorted(int(len(data) * position) for position in (first, second))
    match damage:
        case "cut":
            return (cut_and_ended(data, first) if third < 0.5 else data[:start]) + TAILS[tail]
        case "zeroed":
            stop = stop if kind == "png" else len(data) - 2 * (third < 0.5)
            return data[:start] + bytes(max(0, stop - start)) + data[max(start, stop) :]
        case "spliced":
            return data[: int(len(data) * first)] + other[int(len(other) * second) :]
    changed = bytearray(data)
    changed[start] ^= 1 << int(third * 8)
    return bytes(changed)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data(), st.sampled_from(sorted(_CHECKED)), st.sampled_from(sorted(TAILS)))
def test_a_damaged_picture_is_refused_or_scores_as_the_whole_one(draws: st.DataObject, damage: str, tail: str) -> None:
    """A picture that is cut, zeroed, spliced or flipped: refused, or within 1 dB of the whole picture."""
    kind = draws.draw(st.sampled_from(sorted(_CHECKED[damage])))
    share = st.floats(0, 1, exclude_max=True)
    data = damage_picture(damage, kind, draws.draw(st.tuples(share, share, share)), tail)
    try:
        passed = decode(data)
    except InvalidImage:
        return
    wholes = [decode(whole) for whole in WHOLE[kind]]
    nearest = int(np.argmin([np.abs(whole.astype(int) - passed).sum() for whole in wholes]))
    original = photograph(seed=nearest)[None] ^ 8  # near both, equal to none
    assert np.abs(psnr(mse(original, passed[None])) - psnr(mse(original, wholes[nearest][None]))) < 1
