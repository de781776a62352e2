"""A data set of labelled images in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidDataset
from semsim_training.seeds import stable_hash


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImages:
    """Square RGB images of one size with their classes."""

    name: str
    """The name of the data set, such as ``cifar10/train``."""
    images: NDArray[np.uint8]
    """``(N, size, size, 3)``."""
    labels: NDArray[np.int64]
    """``(N,)``, indices into ``classes``."""
    classes: tuple[str, ...]
    identifiers: tuple[str, ...]
    """``(N,)``: relative file names, or indices in the published data set."""

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: Sequence[int] | NDArray[np.int64]) -> Self:
        """A part of the data set, in the given order."""
        chosen = np.asarray(indices, dtype=np.int64)
        return type(self)(
            self.name,
            self.images[chosen],
            self.labels[chosen],
            self.classes,
            tuple(self.identifiers[index] for index in chosen),
        )

    def spread(self, count: int, seed: int, classes: int | Sequence[str] | None = None) -> Self:
        """``count`` images, as even over classes as can be, chosen by their names and the seed alone.

        ``classes`` names classes to choose from, or says how many; where it is a number, classes that hold their share
        of the images come first.

        Raises:
            InvalidDataset: a class that is not there.
        """
        ranks: dict[int, int] = {}
        keyed: list[tuple[int, int, int]] = []
        kept = self._kept(count, seed, classes)
        for index in sorted(range(len(self)), key=lambda i: stable_hash(f"{seed}/{self.identifiers[i]}")):
            label = int(self.labels[index])
            if label not in kept:
                continue
            ranks[label] = rank = ranks.get(label, -1) + 1
            keyed.append((rank, len(keyed), index))
        return self.take([index for _, _, index in sorted(keyed)[:count]])

    def _kept(self, count: int, seed: int, classes: int | Sequence[str] | None) -> list[int]:
        """The labels that :meth:`spread` chooses from."""
        if classes is not None and not isinstance(classes, int):
            missing = sorted(set(classes) - set(self.classes))
            if missing:
                raise InvalidDataset(f"expected the class {missing[0]} in {self.name}, got {', '.join(self.classes)}")
            return [self.classes.index(name) for name in classes]
        wanted = -(-count // (classes or len(self.classes)))
        held = np.bincount(self.labels, minlength=len(self.classes))
        order = sorted(range(len(held)), key=lambda i: (held[i] < wanted, stable_hash(f"{seed}/{self.classes[i]}")))
        return order[:classes]
