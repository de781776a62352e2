"""A row of a reconstruction set, and the columns that follow from it: one row for each image that a client held."""

from collections.abc import Iterable
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Self, get_type_hints

import pyarrow as pa

SPLITS = ("train", "validation", "test")
"""The splits of originals."""
STATUSES = ("matched", "partly", "nothing_found", "diverged", "done")
"""The ends of an attack. ``done`` is that of sets of format 2, which tell diverged attacks apart alone."""

_ARROW = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64(), bytes: pa.binary()}
_ARROW_OR_NONE = {kind | None: arrow for kind, arrow in _ARROW.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconstructionRow:
    """The origin of one reconstruction. Its picture and its original stand apart: see :class:`ReconstructionSet`."""

    setting: str
    """Name of the setting, unique in the set."""
    dataset: str
    """Name of the originals' data set, such as ``cifar10``."""
    image: str
    """Name of the original in its data set."""
    original_sha256: str
    """Hash of the original's pixels, as :func:`pixels_sha256` computes it."""
    near_copy_of: str | None = None
    """``original_sha256`` of the original that the reconstruction shows at 30 dB or more, as it was or as the client's
    policies changed it; ``None`` for most."""
    split: str
    """train, validation or test. The original decides it: all its reconstructions are in one split."""
    label: int
    """Index of the original's class in its data set."""
    class_name: str
    """Name of the original's class."""
    label_used: int
    """The label that the attack was given or found, or -1."""
    victim: str
    """Name of the victim in the grid."""
    trained: bool
    """True for a victim that was trained."""
    mode: str
    """Augmentation policies on the client's image, or none."""
    defense: str
    """The defense on the update, or none."""
    attack: str
    """The attack with the options that differ from its preset's."""
    preset: str
    """The published attack."""
    iterations: int
    """Iterations of the search; 0 for a closed form."""
    batch: int
    """The number of images that the client held."""
    batchnorm: str
    """The mode of the client's batch normalisation: eval or train."""
    local_steps: int
    """Steps of local training; 0 for a gradient."""
    client_seed: int
    """Seed of the client and of the attack on it; the rows of one client share it."""
    status: str
    """The end of the attack on the client's whole batch, the same in all of its rows: matched, partly, nothing_found or
    diverged; done in sets that do not tell the first three apart."""
    objective: float | None
    """The objective of the winning start, without priors; ``None`` for a closed form."""
    explained: float | None = None
    """The share of the update that the client's reconstructions explain; ``None`` where the attack diverged, and in
    sets of format 2."""
    explained_by_random: float | None = None
    """The largest share that random or grey images explain."""
    psnr: float
    """dB, 8-bit RGB, against the original before any policy."""

    @property
    def done(self) -> bool:
        """True where the attack did not diverge."""
        return self.status != "diverged"

    @classmethod
    def read_table(cls, table: pa.Table) -> tuple[Self, ...]:
        """The rows of a table that has these columns, and perhaps others."""
        names = [field.name for field in fields(cls) if field.name in table.column_names or field.default is MISSING]
        return tuple(cls(**row) for row in table.select(names).to_pylist())


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReconstruction(ReconstructionRow):
    """A row as a shard holds it."""

    picture: bytes
    """The reconstruction as a PNG file; that of a near copy as :func:`sealed` bytes."""


def _field(name: str, kind: Any) -> pa.Field:
    optional = kind in _ARROW_OR_NONE
    return pa.field(name, _ARROW_OR_NONE[kind] if optional else _ARROW[kind], nullable=optional)


_KINDS = get_type_hints(StoredReconstruction)
SCHEMA = pa.schema([_field(field.name, _KINDS[field.name]) for field in fields(StoredReconstruction)])
"""The columns of a shard."""


def table_of(rows: Iterable[StoredReconstruction]) -> pa.Table:
    """The rows as a table."""
    return pa.Table.from_pylist([asdict(row) for row in rows], SCHEMA)
