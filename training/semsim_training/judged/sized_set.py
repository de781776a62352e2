"""A judged set with all its pictures at one size, as a network takes them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidDataset
from semsim.images import resize
from semsim_training.judged.judged_set import JudgedSet, Mask
from semsim_training.judged.pair import Pair
from semsim_training.statistics.bootstrap import positions


@dataclass(frozen=True, slots=True, eq=False)
class SizedSet:
    """``N`` judged reconstructions of ``M`` originals, in pixels."""

    judged: JudgedSet
    originals: NDArray[np.uint8]
    """``(M, size, size, 3)``."""
    reconstructions: NDArray[np.uint8]
    """``(N, size, size, 3)``, in the order of ``judged``."""
    original_of: NDArray[np.int64]
    """The index of each reconstruction's original in ``originals``, ``(N,)``."""

    def __len__(self) -> int:
        return len(self.judged)

    @classmethod
    def of(cls, judged: JudgedSet, size: int) -> Self:
        """Read the pictures of ``judged``, ``size`` pixels a side.

        Raises:
            InvalidDataset: a picture is not there, or two sets have different originals by one name.
        """
        pairs: dict[str, Pair] = {}
        for name, pair in zip(judged.originals, judged.pairs, strict=True):
            if pairs.setdefault(name, pair).row.original_sha256 != pair.row.original_sha256:
                raise InvalidDataset(f"expected one original by the name {name}, got others in other sets")
        return cls(
            judged,
            np.stack([resize(pairs[name].original(), size, size) for name in judged.original_names]),
            np.stack([resize(pair.reconstruction(), size, size) for pair in judged.pairs]),
            positions(judged.original_names, judged.originals),
        )

    @property
    def labels(self) -> NDArray[np.str_]:
        """The class of each original, ``(M,)``; empty for an original of which no reconstruction is here."""
        labels = dict(zip(self.original_of.tolist(), (pair.row.class_name for pair in self.judged.pairs), strict=True))
        return np.asarray([labels.get(original, "") for original in range(len(self.originals))])

    def take(self, chosen: Mask) -> Self:
        """The reconstructions where ``chosen`` ``(N,)`` is true, with all originals."""
        return type(self)(
            self.judged.take(chosen), self.originals, self.reconstructions[chosen], self.original_of[chosen]
        )
