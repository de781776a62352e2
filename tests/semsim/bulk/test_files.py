"""The images of a directory, and those that are skipped and named."""

import base64
import os
import re
from pathlib import Path

import pytest
from PIL import Image

from semsim import Scorer
from semsim.bulk.files import Directories, Listing, list_images
from semsim.bulk.matching import Match
from semsim.bulk.run import score_directories
from semsim.exceptions import UnmatchedImages, UnreadableFile
from tests.encoded import encode, picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory ``images`` with one image."""
    directory = tmp_path / "images"
    directory.mkdir()
    Image.fromarray(picture()).save(directory / "a.png")
    return directory


def test_links_to_directories_are_followed_once(folder: Path, tmp_path: Path) -> None:
    """Images behind a linked directory are found; a link back up does not make the search endless."""
    (tmp_path / "elsewhere").mkdir()
    Image.fromarray(picture()).save(tmp_path / "elsewhere" / "b.png")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "up").symlink_to(folder)
    (folder / "self").symlink_to(folder)
    listing = list_images(folder)
    assert listing.images == (Path("a.png"), Path("linked/b.png"))
    assert listing.skipped == ()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("b.ppm", encode(picture(), "PPM"), "Netpbm"),
        ("b.jp2", encode(picture(), "JPEG2000"), "JPEG 2000"),
        ("b.tif", encode(picture(), "TIFF"), "TIFF"),
        ("b.gif", encode(picture(), "GIF"), "GIF"),
        ("b.tga", encode(picture(), "TGA"), "TGA"),
        ("b.dds", encode(picture(), "DDS"), "DDS"),
        ("b.bmp", encode(picture(), "BMP"), "BMP"),
        ("b.pdf", encode(picture(), "PDF"), "PDF"),
        ("b.jfif", encode(picture(), "JPEG"), "JPEG"),
        ("b.png.bak", encode(picture()), "PNG"),
        ("b.txt", encode(picture(), "WEBP"), "WEBP"),
        ("b", encode(picture()), "PNG"),
        (".b", encode(picture()), "PNG"),
        ("b.jxl", b"\xff\x0a" + bytes(99), "JPEG XL"),
        ("b.jxl", b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(99), "JPEG XL"),
        ("b.tif", b"II+\x00\x08\x00" + bytes(99), "BigTIFF"),
        ("b.exr", b"\x76\x2f\x31\x01" + bytes(99), "OpenEXR"),
        ("b.qoi", b"qoif" + bytes(99), "QOI"),
        ("b.heic", b"\x00\x00\x00\x18ftyphevc" + bytes(99), "HEIC"),
        ("b.heic", b"\x00\x00\x00\x18ftypmsf1" + bytes(99), "HEIF"),
        ("b.svg", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        ("b.npy", b"\x93NUMPY\x01\x00" + bytes(99), "NumPy array"),
        ("b.zip", b"PK\x03\x04" + bytes(99), "ZIP archive"),
        ("b.tar", bytes(257) + b"ustar" + bytes(250), "tar archive"),
        ("b.bin", picture().tobytes(), "no known kind"),
        ("b.dat", b"a text of no known name", "no known kind"),
        ("b.svg", b"no picture", "no known kind"),
        ("b.parquet", b"PAR1" + bytes(99) + b"PAR1", "no known kind"),
        ("b.csv", picture().tobytes(), r"text that a name in \.csv promises"),
        ("b.txt", b"bright " * 200 + b"\x03", r"text that a name in \.txt promises"),
        ("b.csv", b"\xff\xfe" + bytes(range(256)) * 4, r"text that a name in \.csv promises"),
        ("b.csv", b"\xff\xfe" + b"\x00\xd8" * 99, r"text that a name in \.csv promises"),
        (".DS_Store", picture().tobytes(), "got other bytes"),
        ("b", picture().tobytes(), "got other bytes"),
        ("b", base64.b64encode(encode(picture(), "WEBP")), "base64"),
        ("events.out.tfevents.1", bytes(range(99)), "no known kind"),
        ("Thumbs.db", picture().tobytes(), "no known kind"),
        ("b.ppm", b"", "0 bytes"),
        ("b.txt", base64.b64encode(encode(picture())), "base64"),
        ("b.txt", base64.b64encode(encode(picture())).decode().encode("utf-16"), "base64"),
        ("b.json", b'{"original": "' + base64.b64encode(encode(picture(), "JPEG")) + b'"}', "base64"),
        ("b.html", b"<p>" + b"words " * 999 + b'<img src="data:image/avif;base64,AAAA">', "base64"),
    ],
)
def test_whatever_may_hold_an_image_is_skipped_aloud(folder: Path, name: str, content: bytes, told: str) -> None:
    """Images of another format or name, archives, files of no known kind and false texts are named with the reason."""
    (folder / name).write_bytes(content)
    listing = list_images(folder)
    assert listing.images == (Path("a.png"),)
    assert [one.path.name for one in listing.skipped] == [name]
    assert re.search(told, str(listing.skipped[0].reason))


def test_what_is_known_to_hold_no_image_is_passed_over(folder: Path) -> None:
    """Texts and tables of any encoding, empty files without a suffix, and what desktops leave behind are no images."""
    for name, content in {
        "notes.txt": "caf\u00e9\n".encode("latin-1"),
        "scores.csv": b"original,distance\n",
        "windows.csv": "original,distance\r\ncaf\u00e9,1\r\n".encode("utf-16"),
        "scores.csv.partial.jsonl": b"{}\n",
        "report.HTML": b"<p>no image</p>",
        "empty": b"",
        ".gitkeep": b"",
        "empty.log": b"",
        ".DS_Store": b"\x00\x00\x00\x01Bud1" + bytes(99),
        "._a.png": b"\x00\x05\x16\x07" + bytes(99),
        "Thumbs.db": bytes.fromhex("d0cf11e0a1b11ae1") + bytes(99),
        "README": b"what is here\n",
        ".gitignore": b"*.pt\n",
        "labels.xml": b"<annotation/>",
        "a.png:Zone.Identifier": b"[ZoneTransfer]\r\nZoneId=3\r\n",
        "desktop.ini": "[.ShellClassInfo]\r\n".encode("utf-16"),
    }.items():
        (folder / name).write_bytes(content)
    left = (".DS_Store", "._a.png", "Thumbs.db", "a.png:Zone.Identifier")
    assert list_images(folder) == Listing((Path("a.png"),), (), tuple(map(Path, left)))


def test_an_image_by_its_name_is_one_whatever_it_holds(folder: Path) -> None:
    """A file with an image's suffix, in any case and hidden or not, is scored, or fails aloud."""
    for name in ("b.PNG", ".c.png", "._d.png", "e.Jpeg"):
        (folder / name).write_bytes(b"anything")
    assert {path.name for path in list_images(folder).images} == {"a.png", "b.PNG", ".c.png", "._d.png", "e.Jpeg"}


def test_what_cannot_be_read_is_skipped_aloud(folder: Path) -> None:
    """Dead and endless links and pipes are named, whatever their names promise."""
    (folder / "dead.png").symlink_to(folder / "gone.png")
    (folder / "round.txt").symlink_to(folder / "round.txt")
    os.mkfifo(folder / "pipe.txt")
    skipped = list_images(folder).skipped
    assert [one.path.name for one in skipped] == ["dead.png", "pipe.txt", "round.txt"]
    assert {type(one.reason) for one in skipped} == {UnreadableFile}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_folder_that_cannot_be_read_is_skipped_aloud(folder: Path) -> None:
    """A folder without permission to list it, or to enter it, is named."""
    for name, mode in (("closed", 0o000), ("shut", 0o444)):
        (folder / name).mkdir()
        (folder / name / "b.png").write_bytes(b"")
        (folder / name).chmod(mode)
    try:
        assert [one.path for one in list_images(folder).skipped] == [Path("closed"), Path("shut/b.png")]
    finally:
        for name in ("closed", "shut"):
            (folder / name).chmod(0o700)


def test_a_directory_of_skipped_images_says_so(tmp_path: Path) -> None:
    """Where every image is skipped, the refusal names one."""
    (tmp_path / "b.jfif").write_bytes(encode(picture(), "JPEG"))
    with pytest.raises(UnmatchedImages, match=r"got none, but 1 others, such as b\.jfif: expected a name that ends in"):
        list_images(tmp_path)


def test_skipped_files_of_both_sides_are_told(small_scorer: Scorer, folder: Path, tmp_path: Path) -> None:
    """A skipped file of either side is counted and has a row: by distance, an original's leak would not show."""
    originals = tmp_path / "originals"
    originals.mkdir()
    for name in ("a.png", "b.jfif"):
        (originals / name).write_bytes(encode(picture()))
    (folder / "c.npy").write_bytes(b"\x93NUMPY")
    for match in (Match.NAME, Match.BEST):
        run = score_directories(small_scorer, Directories(originals, folder), match)
        assert (run.summary().pairs, run.summary().skipped) == (1, 2)
        rows = [(row.original, row.reconstruction, row.error_code) for row in run.rows_of_others()]
        assert rows == [("b.jfif", None, "unsupported_format"), (None, "c.npy", "unsupported_format")]
