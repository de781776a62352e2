"""Small reconstruction sets, written as finished ones are."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from semsim_training.reconstructions.dataset import DatasetDescription, ShardFile
from semsim_training.reconstructions.schema import SCHEMA

SECRETS = ("quince", "secretattack", "secretvictim", "secretdefense", "secretsetting")
"""Found in every file name, setting and PNG text of these sets, and nowhere else."""


def write_set(
    directory: Path, classes: int = 3, originals: int = 6, settings: int = 2, name: str = "small", size: int = 16
) -> Path:
    """A finished set of ``originals`` x ``settings`` reconstructions; every third original is of the split test."""
    rows = [_row(name, classes, size, index, setting) for index in range(originals) for setting in range(settings)]
    shard = directory / "shards" / "0000.parquet"
    shard.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), shard)
    digest = hashlib.sha256(shard.read_bytes()).hexdigest()
    description = DatasetDescription(
        name=name, rows=len(rows), settings=settings, diverged=0, victims={}, libraries={}, machine="none", grid={},
        shards=(ShardFile(name=shard.name, rows=len(rows), sha256=digest),),
    )  # fmt: skip
    (directory / "dataset.json").write_text(description.model_dump_json())
    return directory


def _row(name: str, classes: int, size: int, index: int, setting: int) -> dict[str, object]:
    return {
        "setting": f"{name}--secretsetting-{setting}",
        "dataset": name,
        "image": f"quince/{index:04}.jpg",
        "split": ("test", "train", "validation")[index % 3],
        "label": index % classes,
        "class": f"class_{index % classes}",
        "label_used": -1,
        "victim": "secretvictim",
        "trained": False,
        "mode": "none",
        "defense": "secretdefense",
        "attack": "secretattack",
        "iterations": 1,
        "batch": 1,
        "batchnorm": "eval",
        "local_steps": 0,
        "client_seed": 0,
        "status": "done",
        "objective": 0.0,
        "psnr": 20.0,
        "original": png(index, size),
        "reconstruction": png(1000 * (setting + 1) + index, size),
    }


def png(seed: int, size: int) -> bytes:
    """An image that no other seed has, with text in its file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    text = PngInfo()
    text.add_text("Comment", "secretattack of quince")
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, "PNG", pnginfo=text)
    return sink.getvalue()
