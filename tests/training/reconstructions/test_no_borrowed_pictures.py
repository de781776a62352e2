"""The repository holds no picture of CIFAR-10, CIFAR-100 or Caltech-101."""

import base64
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.training.reconstructions.borrowed import BORROWED_DB, Published, pictures_in, pieces, small

pytestmark = pytest.mark.slow

_COPY_DB = 40.0
"""A reconstruction in a table is a copy of its original from this PSNR on; attacks may come closer than 28 dB."""
_NO_PICTURES = {".py", ".cpp", ".hpp", ".onnx", ".safetensors"}


@pytest.fixture(scope="module")
def published(data: Path) -> Published:
    """The published pictures."""
    return Published.read(data)


def tracked() -> list[Path]:
    """The files of the repository that may hold pictures."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in names.split("\0") if name]
    return [path for path in paths if path.is_file() and path.suffix not in _NO_PICTURES]


def test_no_picture_and_no_copy_in_a_table(published: Published) -> None:
    """No file is, shows or holds a published picture; no table holds a reconstruction above 40 dB."""
    pictures, places, limits = [], [], []
    for path in tracked():
        in_table = path.suffix == ".parquet"
        for picture in pictures_in(path):
            for square in [small(picture)] if in_table else pieces(picture):
                pictures.append(square)
                places.append(path.relative_to(ROOT))
                limits.append(_COPY_DB if in_table else BORROWED_DB)
    assert len(pictures) > 6000, "the committed reconstructions are looked at"
    nearest = published.nearest(np.stack(pictures))
    assert not [
        f"{place} holds {name} at {decibels:.1f} dB"
        for place, limit, (decibels, name) in zip(places, limits, nearest, strict=True)
        if decibels >= limit
    ]


def test_hidden_copies_are_found(published: Published, data: Path, tmp_path: Path) -> None:
    """Enlarged and compressed, in a contact sheet, and as base64 in a page, a published picture is found."""
    source = data / "caltech101" / "emu" / "image_0001.jpg"
    whole = Image.open(source).convert("RGB")
    whole.resize((3 * whole.width, 3 * whole.height)).save(tmp_path / "resized.jpg", quality=50)
    sheet = Image.new("RGB", (300, 200), (128, 128, 128))
    sheet.paste(Image.fromarray(small(source).astype(np.uint8)).resize((64, 64), Image.Resampling.NEAREST), (100, 50))
    sheet.save(tmp_path / "sheet.png")
    for path in (tmp_path / "resized.jpg", tmp_path / "sheet.png"):
        (picture,) = pictures_in(path)
        assert max(published.nearest(np.stack(pieces(picture))))[1] == "caltech101/emu/image_0001.jpg"
    page = tmp_path / "page.html"
    page.write_text(
        f'<img src="data:image/png;base64,{base64.b64encode((tmp_path / "sheet.png").read_bytes()).decode()}">'
    )
    assert len(list(pictures_in(page))) == 1
