"""A finished reconstruction set: its rows, and its pictures on demand."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from semsim.images import RGBImage, decode
from semsim_training.reconstructions.dataset import DatasetDescription, read_set
from semsim_training.reconstructions.schema import ReconstructionRow


@dataclass(frozen=True, slots=True, eq=False)
class ReconstructionSet:
    """The rows of a set in order, with the pictures that belong to them."""

    directory: Path
    description: DatasetDescription
    rows: tuple[ReconstructionRow, ...]
    _originals: dict[str, bytes] = field(repr=False)
    """PNG files by the names of the originals."""
    _reconstructions: dict[tuple[str, str], bytes] = field(repr=False)
    """PNG files by setting and original."""

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read a set, every file checked against its hash.

        Raises:
            InvalidDataset: no finished set there, or a file is missing.
            HashMismatch: a file is not the one that was written.
        """
        table = read_set(directory)
        names = ["class_name" if name == "class" else name for name in table.column_names]
        table = table.rename_columns(names)
        table = table.append_column("preset", [[text.split()[0] for text in table["attack"].to_pylist()]])
        rows = ReconstructionRow.read_table(table)
        originals = dict(zip((row.image for row in rows), table["original"].to_pylist(), strict=True))
        keys = ((row.setting, row.image) for row in rows)
        reconstructions = dict(zip(keys, table["reconstruction"].to_pylist(), strict=True))
        return cls(directory, DatasetDescription.read(directory), rows, originals, reconstructions)

    @property
    def name(self) -> str:
        """The name of the set."""
        return self.description.name

    def original(self, row: ReconstructionRow) -> RGBImage:
        """The original of a row, uint8 ``(H, W, 3)``. Private.

        Raises:
            InvalidDataset: the data set that holds the original is not there, or holds another picture by that name.
        """
        return decode(self.original_png(row))

    def original_png(self, row: ReconstructionRow) -> bytes:
        """The original of a row as a PNG file, with the errors of :meth:`original`."""
        return self._originals[row.image]

    def reconstruction(self, row: ReconstructionRow) -> RGBImage:
        """The reconstruction of a row, uint8 ``(H, W, 3)``, with the errors of :meth:`original`."""
        return decode(self.reconstruction_png(row))

    def reconstruction_png(self, row: ReconstructionRow) -> bytes:
        """The reconstruction of a row as a PNG file, with the errors of :meth:`original`."""
        return self._reconstructions[row.setting, row.image]
