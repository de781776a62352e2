"""What an annotator is shown: the reconstructions of a set, and gold items whose answer is known.

An item has an opaque name. Nothing that an annotator sees tells the original, its file, the attack or the victim.
"""

import hashlib
import io
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from semsim.exceptions import InvalidDataset
from semsim_training.reconstructions.dataset import DatasetDescription, read_set
from semsim_training.seeds import stable_hash

SPLITS = ("train", "validation", "test")
_COLUMNS = ("setting", "image", "split", "class", "status", "original", "reconstruction")


class Shown(StrEnum):
    """What an item's image is."""

    RECONSTRUCTION = "reconstruction"
    CLEAN = "clean"
    """Gold: an original, whose class is known."""
    NOISE = "noise"
    """Gold: nothing at all, which nobody can recognise."""


@dataclass(frozen=True, slots=True)
class Item:
    """One image to judge, with what only the evaluation may know."""

    identifier: str
    """Sixteen hexadecimal digits, of the set, the setting and the original; the same wherever it is computed."""
    shown: Shown
    png: bytes = field(repr=False)
    truth: str | None
    """The original's class; ``None`` for noise."""
    image: str
    """Name of the original, so that nobody is shown it before its reconstructions; empty for noise."""
    split: str
    setting: str
    """Empty for gold items."""


@dataclass(frozen=True, slots=True)
class ItemSet:
    """The items of a reconstruction set."""

    name: str
    classes: tuple[str, ...]
    """Every class that can be answered, in the order of their names."""
    items: tuple[Item, ...]

    @property
    def images(self) -> tuple[str, ...]:
        """The names of the originals, each once."""
        return tuple(dict.fromkeys(item.image for item in self.items))

    @classmethod
    def of(cls, directory: Path, splits: Collection[str] = SPLITS) -> Self:
        """The reconstructions of the finished set in ``directory``; diverged attacks made none.

        Raises:
            InvalidDataset: no finished set there, or nothing in these splits.
        """
        name = DatasetDescription.read(directory).name
        rows = read_set(directory, columns=_COLUMNS).to_pylist()
        items = tuple(
            Item(
                item_identifier(name, row["setting"], row["image"]),
                Shown.RECONSTRUCTION,
                row["reconstruction"],
                row["class"],
                row["image"],
                row["split"],
                row["setting"],
            )
            for row in rows
            if row["split"] in splits and row["status"] == "done"
        )
        if not items:
            raise InvalidDataset(f"expected reconstructions of {', '.join(splits)} in {directory}, got none")
        return cls(name, tuple(sorted({row["class"] for row in rows})), items)


def item_identifier(dataset: str, setting: str, image: str) -> str:
    """The name of the item that shows what ``setting`` made of ``image``; tells neither."""
    return hashlib.sha256(f"{dataset}\n{setting}\n{image}".encode()).hexdigest()[:16]


def gold_items(
    directory: Path, clean: int, noise: int, seed: int, splits: Collection[str] = SPLITS
) -> tuple[Item, ...]:
    """So many originals of the set, one a class as far as they go, and so many images of noise.

    Raises:
        InvalidDataset: fewer originals than asked for.
    """
    name = DatasetDescription.read(directory).name
    originals = {
        row["image"]: row
        for row in read_set(directory, columns=("image", "split", "class", "original")).to_pylist()
        if row["split"] in splits
    }
    if len(originals) < clean:
        raise InvalidDataset(f"expected at least {clean} originals in {directory}, got {len(originals)}")
    ranks: dict[str, int] = {}
    keyed: list[tuple[int, int, str]] = []
    for image in sorted(originals, key=lambda image: stable_hash(f"{seed}/gold/{image}")):
        ranks[originals[image]["class"]] = rank = ranks.get(originals[image]["class"], -1) + 1
        keyed.append((rank, len(keyed), image))
    chosen = [originals[image] for _, _, image in sorted(keyed)[:clean]]
    found = [
        Item(item_identifier(name, Shown.CLEAN, row["image"]), Shown.CLEAN, row["original"], row["class"],
             row["image"], row["split"], "")
        for row in chosen
    ]  # fmt: skip
    size = Image.open(io.BytesIO(next(iter(originals.values()))["original"])).size
    for number in range(noise):
        identifier = item_identifier(name, Shown.NOISE, f"{seed}/{number}")
        found.append(Item(identifier, Shown.NOISE, _noise(size, stable_hash(identifier)), None, "", "", ""))
    return tuple(found)


def _noise(size: tuple[int, int], seed: int) -> bytes:
    """Noise with the grain of a failed attack: half the images fine, half smoothed."""
    rng = np.random.default_rng(seed)
    grain = 1 if seed % 2 else 4
    coarse = rng.integers(0, 256, (size[1] // grain, size[0] // grain, 3), dtype=np.uint8)
    sink = io.BytesIO()
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(sink, "PNG", optimize=True)
    return sink.getvalue()
