"""A made-up reconstruction set, in memory or on disk, and judgements of it."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from semsim.images import RGBImage
from semsim.pixel_metrics import mse, psnr
from semsim_training.annotation.items import Shown
from semsim_training.annotation.judgements import AnnotatorKind, Judgement
from semsim_training.client_images.png import encode_png
from semsim_training.judged.pair import Pair
from semsim_training.reconstructions.dataset import DatasetDescription, ShardFile
from semsim_training.reconstructions.near_copies import pixels_sha256
from semsim_training.reconstructions.schema import ReconstructionRow, StoredReconstruction, table_of
from tests.training.small import smooth_images

SPLITS = ("train", "train", "validation", "test")
MOST_NOISE = 120.0
"""The standard deviation of the last setting's noise, in levels."""


@dataclass(frozen=True, eq=False)
class MadeUpSet:
    """Smooth originals of two data sets, each with a reconstruction in every setting, from little noise to much."""

    name: str
    rows: tuple[ReconstructionRow, ...]
    originals: dict[str, RGBImage]
    """Originals by the name of the image."""
    reconstructions: dict[tuple[str, str], RGBImage]
    """Reconstructions by setting and the name of the image."""

    @property
    def sha256(self) -> str:
        """A hash of the rows, which differ where pictures do."""
        return hashlib.sha256(repr(self.rows).encode()).hexdigest()

    def original(self, row: ReconstructionRow) -> RGBImage:
        """The original of a row."""
        return self.originals[row.image]

    def reconstruction(self, row: ReconstructionRow) -> RGBImage:
        """The reconstruction of a row."""
        return self.reconstructions[row.setting, row.image]

    def with_plain(self, image: str) -> "MadeUpSet":
        """The set with an original of one colour under the name of an image."""
        plain = np.full_like(self.originals[image], 90)
        sha256 = pixels_sha256(plain)
        rows = tuple(replace(row, original_sha256=sha256) if row.image == image else row for row in self.rows)
        return replace(self, rows=rows, originals={**self.originals, image: plain})

    def write(self, directory: Path) -> Path:
        """Write the set as a finished one is, with its originals in folders beside it."""
        for row in self.rows:
            path = directory / "originals" / row.dataset / row.image
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_png(self.original(row)))
        shard = directory / "shards" / "0000.parquet"
        shard.parent.mkdir(parents=True)
        stored = [
            StoredReconstruction(**asdict(row), picture=encode_png(self.reconstruction(row))) for row in self.rows
        ]
        pq.write_table(table_of(stored), shard)
        side = self.original(self.rows[0]).shape[0]
        images = {
            name: {"folder": str(directory / "originals" / name), "size": side, "count": len(self.originals)}
            for name in {row.dataset for row in self.rows}
        }
        description = DatasetDescription(
            name=self.name, rows=len(self.rows), settings=len({row.setting for row in self.rows}), diverged=0,
            victims={}, libraries={}, machine="none", grid={"images": images},
            shards=(
                ShardFile(name=shard.name, rows=len(stored), sha256=hashlib.sha256(shard.read_bytes()).hexdigest()),
            ),
        )  # fmt: skip
        (directory / "dataset.json").write_text(description.model_dump_json())
        return directory


def made_up_set(originals: int = 12, settings: int = 4, size: int = 32, seed: int = 0) -> MadeUpSet:
    """A set of ``originals`` x ``settings`` rows, the reconstructions of one original after those of another."""
    images = smooth_images(originals, size, seed)
    noise = np.random.default_rng(seed).normal(size=(originals, settings, size, size, 3))
    noisy = images[:, None] + noise * np.linspace(5, MOST_NOISE, settings)[:, None, None, None]
    pictures = np.clip(noisy, 0, 255).astype(np.uint8)
    rows = tuple(
        _row(original, setting, images[original], pictures[original, setting])
        for original in range(originals)
        for setting in range(settings)
    )
    return MadeUpSet(
        "made-up",
        rows,
        {row.image: images[place // settings] for place, row in enumerate(rows)},
        {(row.setting, row.image): pictures[divmod(place, settings)] for place, row in enumerate(rows)},
    )


def _row(original: int, setting: int, image: RGBImage, picture: RGBImage) -> ReconstructionRow:
    return ReconstructionRow(
        setting=f"setting-{setting}",
        dataset=f"set-{original // 4 % 2}",
        image=f"image-{original:02}.png",
        original_sha256=pixels_sha256(image),
        split=SPLITS[original % len(SPLITS)],
        label=original % 3,
        class_name=f"class-{original % 3}",
        label_used=-1,
        victim=f"victim-{setting % 2}",
        trained=False,
        mode="none",
        defense="none",
        attack=f"attack-{setting // 2} x2",
        preset=f"attack-{setting // 2}",
        iterations=1,
        batch=1,
        batchnorm="eval",
        local_steps=0,
        client_seed=0,
        status="done",
        objective=None,
        psnr=float(psnr(mse(image[None], picture[None]))[0]),
    )


def judgements_of(
    pairs: Iterable[Pair],
    recognised: Iterable[int],
    annotators: int = 3,
    kind: AnnotatorKind = AnnotatorKind.CLASSIFIER,
) -> list[Judgement]:
    """The first ``recognised`` of the annotators name the class of a pair's original, the others another class."""
    return [
        Judgement(
            pair.source.name, pair.item, Shown.RECONSTRUCTION, f"made-up-{annotator}", kind,
            pair.row.class_name if annotator < count else "another", pair.row.class_name, "made-up/1",
        )
        for pair, count in zip(pairs, recognised, strict=True)
        for annotator in range(annotators)
    ]  # fmt: skip
