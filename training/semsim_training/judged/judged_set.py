"""Reconstructions, and how many annotators recognised each."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.gold_rule import GoldRule
from semsim_training.annotation.items import Shown
from semsim_training.annotation.judgements import AnnotatorKind, read
from semsim_training.judged.pair import Pair, PictureSource, pairs_of
from semsim_training.reconstructions.schema import ReconstructionRow

Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]
FEWEST_OF_A_KIND = 10
"""The fewest recognised and the fewest unrecognised reconstructions of a part that is measured apart: of fewer, an AUC
says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgedSet:
    """N reconstructions, each judged by at least one annotator of one kind."""

    name: str
    kind: AnnotatorKind
    items: tuple[str, ...]
    """The name by which annotators know each reconstruction."""
    settings: tuple[str, ...]
    """The setting that made each reconstruction."""
    originals: tuple[str, ...]
    """The name of each reconstruction's original. What one original yields hangs together."""
    recognised: Counts
    """The number of annotators who named the original's class, ``(N,)``."""
    annotators: Counts
    """The number of annotators who judged, ``(N,)``, at least 1."""
    pairs: tuple[Pair, ...] = ()
    """The pair of each item; empty where a table holds the judgements and no pictures belong to it."""

    def __post_init__(self) -> None:
        """Check items and counts.

        Raises:
            InvalidAnnotations: an item occurs twice, or counts cannot be.
        """
        twice = [item for item, count in Counter(self.items).items() if count > 1]
        if twice:
            raise InvalidAnnotations(
                f"expected each item once in {self.name}, got {twice[0]} and {len(twice) - 1} more"
            )
        impossible = int(((self.annotators < 1) | (self.recognised < 0) | (self.recognised > self.annotators)).sum())
        if impossible:
            raise InvalidAnnotations(
                f"expected at least one annotator of each item, and no more recognitions than annotators, got "
                f"{impossible} items of {self.name} without"
            )

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def read(cls, source: PictureSource, table: Path, kind: AnnotatorKind, gold: GoldRule | None = None) -> Self:
        """The reconstructions of ``source`` that annotators of one kind judged, in the order of the set.

        An annotator's first judgement of an item counts. Gold items and repeats do not.

        Args:
            source: the reconstruction set.
            table: the directory of the table of judgements.
            kind: the annotators whose judgements are read.
            gold: the rule that these annotators must keep over the whole table; ``None`` where all count.

        Raises:
            InvalidAnnotations: there is no such judgement by an annotator who counts, or one of an item that is no
                reconstruction of the set.
        """
        of_kind = [one for one in read(table) if one.kind is kind]
        failed = frozenset[str]() if gold is None else gold.failed(of_kind)
        judgements = [
            one
            for one in of_kind
            if one.dataset == source.name
            and one.shown is Shown.RECONSTRUCTION
            and one.repeat == 0
            and one.annotator not in failed
        ]
        if not judgements:
            raise InvalidAnnotations(
                f"expected judgements of {source.name} by annotators of kind {kind} in {table}, got none "
                f"by those who keep the rule for gold items ({len(failed)} do not)"
            )
        annotators = Counter(one.item for one in judgements)
        recognised = Counter(one.item for one in judgements if one.recognised)
        pairs = {pair.item: pair for pair in pairs_of(source)}
        strangers = annotators.keys() - pairs.keys()
        if strangers:
            raise InvalidAnnotations(
                f"expected judgements of reconstructions in the set, got {len(strangers)} others, such as "
                f"{min(strangers)}"
            )
        judged = {item: pair for item, pair in pairs.items() if item in annotators}
        return cls(
            name=source.name,
            kind=kind,
            items=tuple(judged),
            settings=tuple(pair.row.setting for pair in judged.values()),
            originals=tuple(pair.original_name for pair in judged.values()),
            recognised=np.array([recognised[item] for item in judged], dtype=np.int64),
            annotators=np.array([annotators[item] for item in judged], dtype=np.int64),
            pairs=tuple(judged.values()),
        )

    @classmethod
    def joined(cls, name: str, parts: Sequence[Self]) -> Self:
        """One judged set of several with the same kind of annotator."""
        return cls(
            name=name,
            kind=parts[0].kind,
            items=tuple(item for part in parts for item in part.items),
            settings=tuple(setting for part in parts for setting in part.settings),
            originals=tuple(original for part in parts for original in part.originals),
            recognised=np.concatenate([part.recognised for part in parts]),
            annotators=np.concatenate([part.annotators for part in parts]),
            pairs=tuple(pair for part in parts for pair in part.pairs),
        )

    @property
    def sha256(self) -> str:
        """A hash of the sets, the items and the counts of their annotators; of items with pairs."""
        running = hashlib.sha256("\n".join(dict.fromkeys(pair.source.sha256 for pair in self.pairs)).encode())
        for row in zip(self.items, self.annotators.tolist(), self.recognised.tolist(), strict=True):
            running.update(f"\n{row}".encode())
        return running.hexdigest()

    @property
    def shares(self) -> NDArray[np.float64]:
        """The recognised share of each item, ``(N,)``, 0..1."""
        shares: NDArray[np.float64] = self.recognised / self.annotators
        return shares

    @property
    def majority(self) -> Mask:
        """True where more than half of an item's annotators recognised it, ``(N,)``; half is no majority."""
        majority: Mask = 2 * self.recognised > self.annotators
        return majority

    @property
    def rarer(self) -> int:
        """The number of items of the rarer kind, recognised by the majority or not."""
        recognised = int(self.majority.sum())
        return min(recognised, len(self) - recognised)

    @property
    def trained(self) -> Mask:
        """True where the victim was trained, ``(N,)``; of items with pairs."""
        return np.array([pair.row.trained for pair in self.pairs], dtype=np.bool_)

    @property
    def setting_names(self) -> tuple[str, ...]:
        """The settings, each once, in the order in which they first come."""
        return tuple(dict.fromkeys(self.settings))

    @property
    def original_names(self) -> tuple[str, ...]:
        """The originals, each once, in the order in which they first come."""
        return tuple(dict.fromkeys(self.originals))

    def take(self, chosen: Mask) -> Self:
        """The judged set of the items where ``chosen`` ``(N,)`` is true."""
        rows = np.flatnonzero(chosen)
        return replace(
            self,
            items=tuple(self.items[row] for row in rows),
            settings=tuple(self.settings[row] for row in rows),
            originals=tuple(self.originals[row] for row in rows),
            recognised=self.recognised[rows],
            annotators=self.annotators[rows],
            pairs=tuple(self.pairs[row] for row in rows) if self.pairs else (),
        )

    def where(self, column: Callable[[ReconstructionRow], str], *values: str) -> Mask:
        """True for items with one of the values in a column, ``(N,)``: ``where(lambda row: row.split, "test")``."""
        return np.array([column(pair.row) in values for pair in self.pairs], dtype=np.bool_)

    def values(self, column: Callable[[ReconstructionRow], str]) -> tuple[str, ...]:
        """The values of a column of the rows, each once, in the order in which they first come."""
        return tuple(dict.fromkeys(column(pair.row) for pair in self.pairs))

    def of_splits(self, splits: Collection[str]) -> Self:
        """The items whose originals are in some splits.

        Raises:
            InvalidAnnotations: none of them is.
        """
        chosen = self.where(lambda row: row.split, *splits)
        if not chosen.any():
            raise InvalidAnnotations(f"expected judged reconstructions of {', '.join(splits)}, got none")
        return self.take(chosen)
