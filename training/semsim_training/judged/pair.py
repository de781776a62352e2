"""Reconstructions of a set beside their originals."""

from dataclasses import dataclass
from typing import Protocol

from semsim.images import RGBImage
from semsim_training.annotation.items import item_identifier
from semsim_training.reconstructions.schema import ReconstructionRow


class PictureSource(Protocol):
    """A set that gives the pictures of its rows, as a :class:`ReconstructionSet` does."""

    @property
    def name(self) -> str:
        """The name of the set."""
        ...

    @property
    def sha256(self) -> str:
        """The hash of the set's description, which holds those of its files."""
        ...

    @property
    def rows(self) -> tuple[ReconstructionRow, ...]:
        """The rows of the set, in order."""
        ...

    def original(self, row: ReconstructionRow) -> RGBImage:
        """The original of a row, uint8 ``(H, W, 3)``."""
        ...

    def reconstruction(self, row: ReconstructionRow) -> RGBImage:
        """The reconstruction of a row, uint8 ``(H, W, 3)``."""
        ...


@dataclass(frozen=True, slots=True)
class Pair:
    """A reconstruction and its original, which is private. The pictures are read when they are asked for."""

    source: PictureSource
    row: ReconstructionRow

    @property
    def item(self) -> str:
        """The name by which annotators know the reconstruction."""
        return item_identifier(self.source.name, self.row.setting, self.row.image)

    @property
    def original_name(self) -> str:
        """The name of the original, ``DATASET/IMAGE``, which no other original has."""
        return f"{self.row.dataset}/{self.row.image}"

    def original(self) -> RGBImage:
        """The original, uint8 ``(H, W, 3)``.

        Raises:
            InvalidDataset: the source has no such picture.
        """
        return self.source.original(self.row)

    def reconstruction(self) -> RGBImage:
        """The reconstruction, uint8 ``(H, W, 3)``, with the errors of :meth:`original`."""
        return self.source.reconstruction(self.row)


def pairs_of(source: PictureSource) -> tuple[Pair, ...]:
    """The pairs of a set in the order of its rows; a diverged attack made none."""
    return tuple(Pair(source, row) for row in source.rows if row.done)
