"""A finished reconstruction set: its rows, and its pictures on demand."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from semsim.exceptions import InvalidDataset
from semsim.images import RGBImage, decode
from semsim_training.client_images.png import encode_png
from semsim_training.reconstructions.dataset import DatasetDescription, read_shards
from semsim_training.reconstructions.near_copies import opened
from semsim_training.reconstructions.originals import Originals
from semsim_training.reconstructions.schema import ReconstructionRow


@dataclass(frozen=True, slots=True, eq=False)
class ReconstructionSet:
    """The rows of a set in order, with the pictures that belong to them.

    The set itself holds no original: each is read from its data set, and only when a picture needs it.
    """

    directory: Path
    sha256: str
    """The hash of ``dataset.json``, which holds those of the shards."""
    description: DatasetDescription
    rows: tuple[ReconstructionRow, ...]
    originals: Originals
    _pictures: dict[tuple[str, str], bytes] = field(repr=False)
    """The pictures in the shards, PNG files or sealed, by setting and original."""

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read a set, every file checked against its hash.

        Raises:
            InvalidDataset: no finished set there, or a file is missing.
            HashMismatch: a file is not the one that was written.
        """
        description = DatasetDescription.read(directory)
        table = read_shards(directory, description)
        rows = ReconstructionRow.read_table(table)
        keys = ((row.setting, row.image) for row in rows)
        pictures = dict(zip(keys, table["picture"].to_pylist(), strict=True))
        if len(pictures) != len(rows):
            raise InvalidDataset(f"expected one reconstruction of an original in a setting of {directory}, got several")
        sha256 = hashlib.sha256((directory / description.FILE).read_bytes()).hexdigest()
        return cls(directory, sha256, description, rows, Originals.of(rows, description.sources), pictures)

    @property
    def name(self) -> str:
        """The name of the set."""
        return self.description.name

    def original(self, row: ReconstructionRow) -> RGBImage:
        """The original of a row, uint8 ``(H, W, 3)``. Private.

        Raises:
            InvalidDataset: the data set that holds the original is not there, or does not hold it.
            HashMismatch: the data set holds another picture by the original's name.
        """
        return self.originals.pixels(row.original_sha256)

    def original_png(self, row: ReconstructionRow) -> bytes:
        """The original of a row as a PNG file, with the errors of :meth:`original`."""
        return encode_png(self.original(row))

    def reconstruction(self, row: ReconstructionRow) -> RGBImage:
        """The reconstruction of a row, uint8 ``(H, W, 3)``; for a near copy with the errors of :meth:`original`."""
        picture = self._pictures[row.setting, row.image]
        if row.near_copy_of is None:
            return decode(picture)
        return opened(picture, self.originals.pixels(row.near_copy_of), row.setting, row.image)

    def reconstruction_png(self, row: ReconstructionRow) -> bytes:
        """The reconstruction of a row as a PNG file; for a near copy with the errors of :meth:`original`."""
        if row.near_copy_of is None:
            return self._pictures[row.setting, row.image]
        return encode_png(self.reconstruction(row))
