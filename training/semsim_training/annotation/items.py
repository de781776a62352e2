"""The items that annotators judge: the reconstructions of a set, and gold items, whose class is known.

An item has an opaque name. Nothing that an annotator sees tells the original, its file, the attack or the victim.
"""

import hashlib
import io
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from semsim.exceptions import InvalidDataset
from semsim_training.client_images.png import encode_png
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.reconstructions.schema import SPLITS, ReconstructionRow
from semsim_training.seeds import stable_hash


class Shown(StrEnum):
    """The kind of image that an item shows."""

    RECONSTRUCTION = "reconstruction"
    CLEAN = "clean"
    """Gold: an original, whose class is known."""
    NOISE = "noise"
    """Gold: nothing at all, which nobody can recognise."""


@dataclass(frozen=True, slots=True)
class Item:
    """One image to judge, with what only the evaluation may know. :meth:`ItemSet.png` gives the image itself."""

    identifier: str
    """Sixteen hexadecimal digits, a hash of the set, the setting and the original; the same wherever it is computed."""
    shown: Shown
    truth: str | None
    """The original's class; ``None`` for noise."""
    image: str
    """The original's name, so that nobody is shown it before its reconstructions; empty for noise."""
    row: ReconstructionRow | None = None
    """The reconstruction, or for a clean original one of its reconstructions; ``None`` for noise."""


@dataclass(frozen=True, slots=True)
class ItemSet:
    """The items of a reconstruction set. An image is read when it is asked for."""

    reconstructions: ReconstructionSet = field(repr=False, compare=False)
    classes: tuple[str, ...]
    """Every class that can be answered, in the order of their names."""
    items: tuple[Item, ...]

    @classmethod
    def read(cls, directory: Path, splits: Collection[str] = SPLITS) -> Self:
        """The reconstructions of the finished set in ``directory``; a diverged attack made none.

        Raises:
            InvalidDataset: no finished set there, or nothing in these splits.
        """
        reconstructions = ReconstructionSet.read(directory)
        items = tuple(
            Item(
                item_identifier(reconstructions.name, row.setting, row.image),
                Shown.RECONSTRUCTION,
                row.class_name,
                row.image,
                row,
            )
            for row in reconstructions.rows
            if row.split in splits and row.done
        )
        if not items:
            raise InvalidDataset(f"expected reconstructions of {', '.join(splits)} in {directory}, got none")
        return cls(reconstructions, tuple(sorted({row.class_name for row in reconstructions.rows})), items)

    @property
    def name(self) -> str:
        """The name of the reconstruction set."""
        return self.reconstructions.name

    @property
    def originals(self) -> dict[str, str]:
        """The name of the original of each item, by the item's name."""
        return {item.identifier: item.image for item in self.items}

    def gold(self, clean: int, noise: int, seed: int, splits: Collection[str] = SPLITS) -> tuple[Item, ...]:
        """``clean`` originals of these splits, spread over the classes, then ``noise`` images of noise.

        Raises:
            InvalidDataset: fewer originals than asked for.
        """
        originals = {row.image: row for row in self.reconstructions.rows if row.split in splits}
        if len(originals) < clean:
            raise InvalidDataset(f"expected at least {clean} originals in the set {self.name}, got {len(originals)}")
        drawn: Counter[str] = Counter()
        turns: list[tuple[int, int, str]] = []
        for place, image in enumerate(sorted(originals, key=lambda image: stable_hash(f"{seed}/gold/{image}"))):
            turns.append((drawn[originals[image].class_name], place, image))
            drawn[originals[image].class_name] += 1
        return (
            *(
                Item(item_identifier(self.name, Shown.CLEAN, image), Shown.CLEAN, originals[image].class_name, image,
                     originals[image])
                for _, _, image in sorted(turns)[:clean]
            ),
            *(
                Item(item_identifier(self.name, Shown.NOISE, f"{seed}/{number}"), Shown.NOISE, None, "")
                for number in range(noise)
            ),
        )  # fmt: skip

    def png(self, item: Item) -> bytes:
        """The image of one of these items or of their gold items, as a PNG file.

        Raises:
            InvalidDataset: the image is an original or a near copy of one, and the originals' data set is not there.
        """
        if item.row is None:
            return _noise(self._size(), stable_hash(item.identifier))
        if item.shown is Shown.CLEAN:
            read, reason = self.reconstructions.original_png, "clean gold items show originals"
        else:
            read, reason = (
                self.reconstructions.reconstruction_png,
                "near copies are differences from their originals",
            )
        try:
            return read(item.row)
        except InvalidDataset as error:
            raise InvalidDataset(f"{reason}: {error}") from error

    def _size(self) -> tuple[int, int]:
        """The width and height of the set's images, in pixels."""
        rows = [item.row for item in self.items if item.row is not None]
        # A reconstruction that is no near copy is read without the data set of the originals.
        row = next((row for row in rows if row.near_copy_of is None), rows[0])
        return Image.open(io.BytesIO(self.reconstructions.reconstruction_png(row))).size


def item_identifier(dataset: str, setting: str, image: str) -> str:
    """The name of the item that shows what ``setting`` made of ``image``; it tells neither."""
    return hashlib.sha256(f"{dataset}\n{setting}\n{image}".encode()).hexdigest()[:16]


def _noise(size: tuple[int, int], seed: int) -> bytes:
    """Noise with the grain of a failed attack: half the images fine, half smoothed."""
    rng = np.random.default_rng(seed)
    grain = 1 if seed % 2 else 4
    coarse = rng.integers(0, 256, (size[1] // grain, size[0] // grain, 3), dtype=np.uint8)
    return encode_png(np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)))
