"""Reconstructions with the share of annotators who recognised them, ready for the network."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from semsim.exceptions import InvalidAnnotations
from semsim.images import decode, resize
from semsim_training.annotation.items import item_identifier
from semsim_training.annotation.judgements import AnnotatorKind, read
from semsim_training.annotation.shares import recognised_shares
from semsim_training.configuration import expanded
from semsim_training.reconstructions.dataset import DatasetDescription, read_set

_COLUMNS = ("setting", "dataset", "image", "split", "class", "victim", "attack", "defense", "status",
            "original", "reconstruction")  # fmt: skip


class JudgedSet(BaseModel):
    """A reconstruction set and what was said of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: Path
    annotations: Path
    """The table of judgements. Paths may name variables: ``$SEMSIM_DATA``."""


class Judged(BaseModel):
    """What a training or an evaluation reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sets: tuple[JudgedSet, ...] = Field(min_length=1)
    kind: AnnotatorKind
    """Whose judgements; those of others are not read."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a reconstruction comes from, to hold out by and to report."""

    setting: str
    dataset: str
    """Of the originals: ``cifar10``."""
    image: str
    """``dataset/name`` of the original: all its reconstructions are on one side of any split."""
    split: str
    label: str
    victim: str
    attack: str
    """The published attack, whatever its iterations and weights."""
    defense: str


@dataclass(frozen=True, slots=True, eq=False)
class JudgedReconstructions:
    """``N`` judged reconstructions of ``M`` originals, at the network's size."""

    originals: NDArray[np.uint8]
    """``(M, size, size, 3)``."""
    reconstructions: NDArray[np.uint8]
    """``(N, size, size, 3)``."""
    original_of: NDArray[np.int64]
    """``(N,)``, indices into ``originals``."""
    recognised: NDArray[np.int64]
    """``(N,)``: how many annotators named the original's class."""
    judges: NDArray[np.int64]
    """``(N,)``: of how many, at least 1."""
    origins: tuple[Origin, ...]
    items: tuple[str, ...]
    """As annotators know them."""

    def __len__(self) -> int:
        return len(self.reconstructions)

    @property
    def shares(self) -> NDArray[np.float64]:
        """``(N,)``: the share of annotators who recognised it, 0..1."""
        shares: NDArray[np.float64] = self.recognised / self.judges
        return shares

    @property
    def majority(self) -> NDArray[np.bool_]:
        """``(N,)``: whether more than half did."""
        majority: NDArray[np.bool_] = 2 * self.recognised > self.judges
        return majority

    @property
    def labels(self) -> NDArray[np.str_]:
        """``(M,)``: the class of each original; empty of one without reconstructions here."""
        labels = dict(zip(self.original_of.tolist(), (origin.label for origin in self.origins), strict=True))
        return np.asarray([labels.get(original, "") for original in range(len(self.originals))])

    @classmethod
    def load(cls, judged: Judged, base: Path, size: int) -> Self:
        """Read sets and judgements; reconstructions that nobody judged are left out. Paths are relative to ``base``.

        Raises:
            InvalidDataset: a set is not there or not finished.
            InvalidAnnotations: no judgement of this kind in a table of a set.
        """
        originals: dict[str, NDArray[np.uint8]] = {}
        images, shares, origins = [], [], []
        items: list[str] = []
        for one in judged.sets:
            directory, table = base / expanded(one.dataset), base / expanded(one.annotations)
            name = DatasetDescription.read(directory).name
            found = recognised_shares(read(table), judged.kind)
            before = len(items)
            for row in read_set(directory, columns=_COLUMNS).to_pylist():
                item = item_identifier(name, row["setting"], row["image"])
                if item not in found or row["status"] != "done":
                    continue
                origin = _origin(row)
                if origin.image not in originals:
                    originals[origin.image] = resize(decode(row["original"]), size, size)
                images.append(resize(decode(row["reconstruction"]), size, size))
                shares.append(found[item])
                origins.append(origin)
                items.append(item)
            if len(items) == before:
                raise InvalidAnnotations(
                    f"expected judgements of {name} by annotators of kind {judged.kind} in {table}, got none"
                )
        places = {image: place for place, image in enumerate(originals)}
        return cls(
            np.stack(list(originals.values())),
            np.stack(images),
            np.asarray([places[origin.image] for origin in origins], dtype=np.int64),
            np.asarray([share.recognised for share in shares], dtype=np.int64),
            np.asarray([share.judged for share in shares], dtype=np.int64),
            tuple(origins),
            tuple(items),
        )

    def take(self, chosen: NDArray[np.bool_]) -> Self:
        """The reconstructions where ``chosen`` ``(N,)`` is true, with all originals."""
        rows = np.flatnonzero(chosen)
        return type(self)(
            self.originals,
            self.reconstructions[rows],
            self.original_of[rows],
            self.recognised[rows],
            self.judges[rows],
            tuple(self.origins[row] for row in rows),
            tuple(self.items[row] for row in rows),
        )

    def where(self, **wanted: Iterable[str]) -> NDArray[np.bool_]:
        """``(N,)``: whose origin has one of the wanted values in each field, such as ``split=["train"]``."""
        sets = {field: frozenset(values) for field, values in wanted.items()}
        return np.asarray([all(getattr(o, field) in values for field, values in sets.items()) for o in self.origins])

    def values(self, field: str) -> tuple[str, ...]:
        """The values of a field of the origins, each once, in order."""
        return tuple(dict.fromkeys(getattr(origin, field) for origin in self.origins))


def _origin(row: dict[str, str]) -> Origin:
    return Origin(
        row["setting"], row["dataset"], f"{row['dataset']}/{row['image']}", row["split"], row["class"],
        row["victim"], row["attack"].split()[0], row["defense"],
    )  # fmt: skip
