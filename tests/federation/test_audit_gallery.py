"""The gallery of audited rounds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semsim.exceptions import InvalidArray, InvalidDataset
from semsim_federation.audit_gallery import append_gallery
from tests.federation.test_series import BLIND, REPORT

RECONSTRUCTIONS = (np.full((16, 16, 1), 77, np.uint8), np.full((16, 16, 1), 99, np.uint8))
SEEN = replace(REPORT, reconstructions=RECONSTRUCTIONS)
ORIGINALS = np.full((2, 16, 16, 1), 201, np.uint8)


def greys(path: Path) -> dict[int, int]:
    """The number of pixels of each grey level of a picture."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    grey = pixels[(pixels == pixels[..., :1]).all(axis=-1)][:, 0]
    return dict(zip(*(part.tolist() for part in np.unique(grey, return_counts=True)), strict=True))


def test_each_round_is_a_row_without_originals(tmp_path: Path) -> None:
    """Rounds stand below one another; the reconstructions are drawn, and originals are not; the owner alone reads."""
    path = tmp_path / "client.png"
    append_gallery(path, SEEN, sent=False)
    once, height = greys(path), Image.open(path).height
    append_gallery(str(path), SEEN, sent=False)
    append_gallery(path, BLIND, sent=False)
    assert once[77] >= 96 * 96
    assert once[99] >= 96 * 96
    assert greys(path)[77] >= 2 * 96 * 96
    assert greys(path).get(201, 0) < 96
    assert Image.open(path).height > 2 * height
    assert path.stat().st_mode & 0o077 == 0
    assert [one.name for one in tmp_path.iterdir()] == ["client.png"]


def test_originals_are_drawn_where_they_are_given(tmp_path: Path) -> None:
    """Originals stand above their reconstructions, and as many are expected as were audited."""
    path = tmp_path / "client.png"
    append_gallery(path, SEEN, originals=ORIGINALS)
    assert greys(path)[201] >= 2 * 96 * 96
    with pytest.raises(InvalidArray, match="expected the 2 originals of the audit, got 1"):
        append_gallery(path, SEEN, originals=ORIGINALS[:1])


def test_captions_tell_no_leakage_of_what_could_not_be_told(tmp_path: Path) -> None:
    """Two pictures of a round that could not tell are the same, whatever leakage its images have."""
    drawn = []
    for leakage in (0.01, 0.3):
        image = replace(REPORT.images[0], leakage=leakage, recognizable=False, identified=False, leaked=False)
        path = tmp_path / f"{leakage}.png"
        append_gallery(path, replace(BLIND, images=(image, image), reconstructions=RECONSTRUCTIONS))
        drawn.append(path.read_bytes())
    assert drawn[0] == drawn[1]


def test_a_gallery_of_too_many_pixels_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's own error is told as one of this project."""
    path = tmp_path / "client.png"
    append_gallery(path, SEEN)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(InvalidDataset, match="got DecompressionBombError"):
        append_gallery(path, SEEN)


@pytest.mark.parametrize("size", [(28, 28, 3), (224, 160, 3), (1, 500, 3)])
def test_images_of_any_size_become_tiles(size: tuple[int, ...], tmp_path: Path) -> None:
    """Large and oblong images keep their proportions."""
    path = tmp_path / "client.png"
    append_gallery(path, replace(SEEN, reconstructions=(np.full(size, 77, np.uint8),) * 2))
    assert greys(path)[77] >= 96


@pytest.mark.parametrize("content", [b"something else", b""])
def test_another_file_is_no_gallery(content: bytes, tmp_path: Path) -> None:
    """A file that is no gallery is left as it is."""
    path = tmp_path / "client.png"
    path.write_bytes(content)
    with pytest.raises(InvalidDataset, match="expected a gallery of audits"):
        append_gallery(path, SEEN)
    assert path.read_bytes() == content
    Image.new("RGB", (4, 4)).save(path)
    with pytest.raises(InvalidDataset, match="got another picture"):
        append_gallery(path, SEEN)
