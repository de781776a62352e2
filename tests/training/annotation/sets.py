"""Small reconstruction sets, written as finished ones are."""

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from semsim.images import decode
from semsim_training.reconstructions.dataset import DatasetDescription, ShardFile
from semsim_training.reconstructions.near_copies import pixels_sha256, sealed
from semsim_training.reconstructions.schema import ReconstructionRow, StoredReconstruction, table_of

SECRETS = ("quince", "secretattack", "secretvictim", "secretdefense", "secretsetting")
"""Found in every file name, setting and PNG text of these sets, and nowhere else."""


def write_set(
    directory: Path,
    classes: int = 3,
    originals: int = 6,
    settings: int = 2,
    name: str = "small",
    size: int = 16,
    near_copies: bool = False,
) -> Path:
    """A finished set of ``originals`` x ``settings`` reconstructions; every third original is of the split test.

    The originals are in the folder ``originals`` beside the set's files. With ``near_copies``, the reconstructions of
    the last setting are stored as near copies are.
    """
    rows = [_row(name, classes, size, index, setting) for index in range(originals) for setting in range(settings)]
    if near_copies:
        rows[settings - 1 :: settings] = map(_near_copy, rows[settings - 1 :: settings], range(originals))
    for index in range(originals):
        path = directory / "originals" / _image(index)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(index, size))
    shard = directory / "shards" / "0000.parquet"
    shard.parent.mkdir(parents=True)
    pq.write_table(table_of(rows), shard)
    digest = hashlib.sha256(shard.read_bytes()).hexdigest()
    images = {name: {"folder": str(directory / "originals"), "name": name, "size": size, "count": originals}}
    description = DatasetDescription(
        name=name, rows=len(rows), settings=settings, diverged=0, victims={}, libraries={}, machine="none",
        grid={"images": images}, shards=(ShardFile(name=shard.name, rows=len(rows), sha256=digest),),
    )  # fmt: skip
    (directory / "dataset.json").write_text(description.model_dump_json())
    return directory


def _image(index: int) -> str:
    return f"quince/{index:04}.jpg"


def row_of(index: int) -> ReconstructionRow:
    """The row of the reconstruction of an original, for tests that need no picture."""
    return _row("small", 3, 16, index, 0)


def _row(name: str, classes: int, size: int, index: int, setting: int) -> StoredReconstruction:
    return StoredReconstruction(
        setting=f"{name}--secretsetting-{setting}",
        dataset=name,
        image=_image(index),
        original_sha256=pixels_sha256(decode(png(index, size))),
        split=("test", "train", "validation")[index % 3],
        label=index % classes,
        class_name=f"class_{index % classes}",
        label_used=-1,
        victim="secretvictim",
        trained=False,
        mode="none",
        defense="secretdefense",
        attack="secretattack",
        preset="secretattack",
        iterations=1,
        batch=1,
        batchnorm="eval",
        local_steps=0,
        client_seed=0,
        status="done",
        objective=0.0,
        psnr=20.0,
        picture=png(1000 * (setting + 1) + index, size),
    )


def _near_copy(row: StoredReconstruction, index: int) -> StoredReconstruction:
    assert row.picture is not None
    reconstruction = decode(row.picture)
    picture = sealed(reconstruction, decode(png(index, reconstruction.shape[0])), row.setting, row.image)
    return replace(row, near_copy_of=row.original_sha256, picture=picture)


def png(seed: int, size: int) -> bytes:
    """An image that no other seed has, with text in its file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    text = PngInfo()
    text.add_text("Comment", "secretattack of quince")
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, "PNG", pnginfo=text)
    return sink.getvalue()
