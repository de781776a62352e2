"""The images of a directory, and those that are skipped and named."""

import os
from pathlib import Path

import pytest
from PIL import Image

from semsim import Scorer
from semsim.bulk.files import Directories, list_images
from semsim.bulk.matching import Match
from semsim.bulk.run import score_directories
from semsim.exceptions import UnmatchedImages
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


def test_what_holds_or_held_an_image_is_skipped_aloud(folder: Path) -> None:
    """Images of another suffix or format, dead links and pipes are named; notes and tables are not."""
    for name in ("b.jfif", "c", "d.png.bak"):
        (folder / name).write_bytes(encode(picture(), "JPEG"))
    (folder / "e.gif").write_bytes(encode(picture(), "GIF"))
    (folder / "dead.png").symlink_to(folder / "gone.png")
    (folder / "round.png").symlink_to(folder / "round.png")
    os.mkfifo(folder / "pipe.png")
    for name in ("notes.txt", "scores.csv", "empty"):
        (folder / name).write_text("" if name == "empty" else "original,distance\n")
    listing = list_images(folder)
    assert listing.images == (Path("a.png"),)
    skipped = ["b.jfif", "c", "d.png.bak", "dead.png", "e.gif", "pipe.png", "round.png"]
    assert [path.name for path in listing.skipped] == skipped


def test_a_directory_of_skipped_images_says_so(tmp_path: Path) -> None:
    """Where every image is skipped, the refusal names one."""
    (tmp_path / "b.jfif").write_bytes(encode(picture(), "JPEG"))
    with pytest.raises(UnmatchedImages, match=r"got none, but 1 others, such as b\.jfif"):
        list_images(tmp_path)


def test_a_skipped_reconstruction_stops_the_run(small_scorer: Scorer, folder: Path, tmp_path: Path) -> None:
    """A reconstruction that is skipped is an error unless it is allowed; an original is not."""
    originals = tmp_path / "originals"
    originals.mkdir()
    for name in ("a.png", "b.jfif"):
        (originals / name).write_bytes(encode(picture()))
    run = score_directories(small_scorer, Directories(originals, folder), Match.NAME)
    assert run.skipped_originals == (Path("b.jfif"),)
    (folder / "b.jfif").write_bytes(encode(picture(), "JPEG"))
    with pytest.raises(UnmatchedImages, match=r"got 1 others, such as b\.jfif"):
        score_directories(small_scorer, Directories(originals, folder), Match.NAME)
    run = score_directories(small_scorer, Directories(originals, folder), Match.NAME, allow_unmatched=True)
    assert len(run.rows) == 1
    assert run.skipped_reconstructions == (Path("b.jfif"),)
