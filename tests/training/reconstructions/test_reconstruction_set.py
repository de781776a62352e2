"""Sets that hold no originals: what is stored, what is joined, and what is said when it is not there."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from semsim.bulk.engine import Engine
from semsim.exceptions import HashMismatch, InvalidDataset, NotAnImage
from semsim.images import decode
from semsim.pixel_metrics import mse, psnr
from semsim_training.reconstructions.generate import generate
from semsim_training.reconstructions.near_copies import NEAR_DB, opened, pixels_sha256, sealed
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.reconstructions.schema import SCHEMA
from tests.conftest import ROOT
from tests.training.judged.made_up import made_up_set
from tests.training.reconstructions.small_grid import SETTINGS, grid, write_images
from tests.training.small import smooth_images


def stored(directory: Path) -> dict[tuple[str, str], bytes]:
    """The pictures in the shards of a set, by setting and original."""
    tables = [pq.read_table(path) for path in (directory / "shards").glob("*.parquet")]
    rows = [row for table in tables for row in table.to_pylist()]
    assert all(table.schema == SCHEMA for table in tables)
    return {(row["setting"], row["image"]): row["picture"] for row in rows}


def test_pictures_are_those_that_were_attacked(made: Path, folder: Path) -> None:
    """Originals come from the folder; reconstructions, near copies included, are as far from them as the rows say."""
    small = ReconstructionSet.read(made)
    for row in small.rows:
        original, reconstruction = small.original(row), small.reconstruction(row)
        assert np.array_equal(original, decode(folder / row.image))
        assert np.array_equal(original, decode(small.original_png(row)))
        assert np.array_equal(reconstruction, decode(small.reconstruction_png(row)))
        assert row.original_sha256 == pixels_sha256(original)
        assert float(psnr(mse(original[None], reconstruction[None]))[0]) == row.psnr


def test_only_what_is_far_from_every_original_can_be_seen(made: Path, folder: Path) -> None:
    """A stored picture is an image below 30 dB of all originals; a near copy is no image without its original."""
    small, pictures = ReconstructionSet.read(made), stored(made)
    originals = np.stack([decode(path) for path in sorted(folder.rglob("*.png"))])
    near = [row for row in small.rows if row.near_copy_of is not None]
    assert {row.victim for row in near} == {"mlp"}
    for row in small.rows:
        picture = pictures[row.setting, row.image]
        if row in near:
            assert row.near_copy_of == row.original_sha256
            with pytest.raises(NotAnImage):
                decode(picture)
        else:
            image = decode(picture)
            assert psnr(mse(originals, np.broadcast_to(image, originals.shape))).max() < NEAR_DB


def test_a_row_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """The pictures of two rows with one setting and original cannot be told apart."""
    one = made_up_set(originals=2, settings=1)
    twice = replace(one, rows=(*one.rows, one.rows[0]))
    with pytest.raises(InvalidDataset, match="one reconstruction of an original in a setting"):
        ReconstructionSet.read(twice.write(tmp_path / "set"))


def test_a_seal_opens_with_its_original_alone() -> None:
    """The same row and original give the reconstruction back; another setting's seal of the same pictures differs."""
    original, other = smooth_images(2)
    reconstruction = np.clip(original.astype(int) + 3, 0, 255).astype(np.uint8)
    seal = sealed(reconstruction, original, "setting", "image")
    assert np.array_equal(opened(seal, original, "setting", "image"), reconstruction)
    assert seal != sealed(reconstruction, original, "another", "image")
    for wrong in ((other, "setting", "image"), (original, "another", "image")):
        with pytest.raises(NotAnImage):
            opened(seal, *wrong)


def test_a_copy_of_another_original_of_the_client_is_hidden_too(tmp_path: Path) -> None:
    """An imprint may rebuild one image twice; assigned to another original, the copy is still sealed."""
    folder = write_images(tmp_path / "images")
    victims = {"imprint": {"network": {"architecture": "imprint", "classes": 2, "size": 16}}}
    settings = [{"images": "small", "victim": "imprint", "attack": {"preset": "imprint"}, "batch": 12}]
    generate(grid(folder, settings=settings, victims=victims), folder, tmp_path / "set", engine=Engine.HERE)
    small, pictures = ReconstructionSet.read(tmp_path / "set"), stored(tmp_path / "set")
    originals = np.stack([small.original(row) for row in small.rows])
    for row in small.rows:
        rebuilt = np.broadcast_to(small.reconstruction(row), originals.shape)
        near = bool(psnr(mse(originals, rebuilt)).max() >= NEAR_DB)
        assert near == (row.near_copy_of is not None) == (not pictures[row.setting, row.image].startswith(b"\x89PNG"))


def test_a_copy_of_an_augmented_original_is_hidden_too(folder: Path, tmp_path: Path) -> None:
    """A closed form gives the image that the policies made: far from the original, and still not to be seen."""
    generate(grid(folder, settings=[SETTINGS[1] | {"mode": "3-1-7"}]), folder, tmp_path / "set", engine=Engine.HERE)
    small = ReconstructionSet.read(tmp_path / "set")
    assert max(row.psnr for row in small.rows) < NEAR_DB
    for row in small.rows:
        assert row.near_copy_of == row.original_sha256
        pair = (small.original(row)[None], small.reconstruction(row)[None])
        assert float(psnr(mse(*pair))[0]) == row.psnr


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable, no folder, no file, and another picture by the same name are errors; rows are read all the same."""
    monkeypatch.setenv("SMALL_DATA", str(tmp_path))
    folder = write_images(tmp_path / "images")
    images = {"small": {"folder": "$SMALL_DATA/images", "size": 16, "count": 6}}
    generate(grid(folder, images=images, settings=SETTINGS[1:2]), folder, tmp_path / "set", engine=Engine.HERE)
    first, second = ReconstructionSet.read(tmp_path / "set").rows[:2]

    Image.fromarray(smooth_images(1, 16, seed=9)[0]).save(folder / first.image)
    with pytest.raises(HashMismatch, match=f"expected pixels of sha256 {first.original_sha256} for {first.image}"):
        ReconstructionSet.read(tmp_path / "set").original(first)
    (folder / first.image).unlink()
    small = ReconstructionSet.read(tmp_path / "set")
    assert small.original(second).shape == small.reconstruction(second).shape
    with pytest.raises(InvalidDataset, match=rf"expected the original {first.image} of images below .*no such image"):
        small.reconstruction(first)

    shutil.rmtree(folder)
    message = (
        r"expected the originals of images below \$SMALL_DATA/images: set SMALL_DATA to the folder of the data sets"
    )
    with pytest.raises(InvalidDataset, match=message):
        ReconstructionSet.read(tmp_path / "set").original(second)
    monkeypatch.delenv("SMALL_DATA")
    without = ReconstructionSet.read(tmp_path / "set")
    assert len(without.rows) == 6
    with pytest.raises(InvalidDataset, match=message):
        without.original_png(second)


def test_only_the_named_files_are_read(made: Path, folder: Path, tmp_path: Path) -> None:
    """A file of the data set that the set does not need may be broken."""
    copied = shutil.copytree(folder, tmp_path / "images")
    generate(grid(copied, settings=[SETTINGS[1] | {"count": 3}]), copied, tmp_path / "set", engine=Engine.HERE)
    small = ReconstructionSet.read(tmp_path / "set")
    needed = {row.image for row in small.rows}
    for path in copied.rglob("*.png"):
        if path.relative_to(copied).as_posix() not in needed:
            path.write_bytes(b"broken")
    assert len([small.original(row) for row in small.rows]) == 3


def test_rows_need_neither_data_nor_torch() -> None:
    """A committed set's rows are read in a process without SEMSIM_DATA, and without the heavy libraries."""
    program = (
        "import sys; from pathlib import Path\n"
        "from semsim_training.reconstructions.reconstruction_set import ReconstructionSet\n"
        "rows = ReconstructionSet.read(Path('datasets/cifar10')).rows\n"
        "print(len(rows), sorted({'torch', 'torchvision', 'timm', 'scipy', 'matplotlib'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env={}, capture_output=True, text=True, check=True)
    assert done.stdout == "1800 []\n"
