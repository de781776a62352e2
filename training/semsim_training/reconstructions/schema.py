"""The columns of a reconstruction set: one row an image that a client held."""

from dataclasses import dataclass, fields
from typing import Self

import pyarrow as pa

_ARROW = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconstructionRow:
    """Where one reconstruction comes from. The pictures stand beside it: see :class:`ReconstructionSet`."""

    setting: str
    """Name of the setting, unique in the set."""
    dataset: str
    """Name of the originals' data set, such as ``cifar10``."""
    image: str
    """Name of the original in its data set."""
    split: str
    """train, validation or test. The original decides it: all its reconstructions are in one split."""
    label: int
    class_name: str
    label_used: int
    """The label that the attack was given or found, or -1."""
    victim: str
    trained: bool
    mode: str
    """Augmentation policies on the client's image, or none."""
    defense: str
    """The defense on the update, or none."""
    attack: str
    """The attack with the options that differ from its preset's."""
    preset: str
    """The published attack."""
    iterations: int
    """0 for a closed form."""
    batch: int
    """Images that the client held."""
    batchnorm: str
    local_steps: int
    """0 for a gradient, else steps of local training."""
    client_seed: int
    status: str
    """done or diverged."""
    objective: float | None
    """The objective of the winning start, without priors; ``None`` for a closed form."""
    psnr: float
    """dB, 8-bit RGB, against the original before any policy."""

    @classmethod
    def read_table(cls, table: pa.Table) -> tuple[Self, ...]:
        """The rows of a table with these columns, and perhaps others."""
        names = [field.name for field in fields(cls)]
        return tuple(cls(**row) for row in table.select(names).to_pylist())


SCHEMA = pa.schema(
    [
        pa.field("setting", pa.string(), metadata={"about": "name of the setting, unique in the set"}),
        pa.field("dataset", pa.string()),
        pa.field("image", pa.string(), metadata={"about": "name of the original in its data set"}),
        pa.field("split", pa.string(), metadata={"about": "train, validation or test, by original"}),
        pa.field("label", pa.int32()),
        pa.field("class", pa.string()),
        pa.field("label_used", pa.int32(), metadata={"about": "the label that the attack used or found, or -1"}),
        pa.field("victim", pa.string()),
        pa.field("trained", pa.bool_()),
        pa.field("mode", pa.string(), metadata={"about": "augmentation policies on the client's image, or none"}),
        pa.field("defense", pa.string(), metadata={"about": "on the update"}),
        pa.field("attack", pa.string()),
        pa.field("iterations", pa.int32(), metadata={"about": "0 for a closed form"}),
        pa.field("batch", pa.int32(), metadata={"about": "images the client held"}),
        pa.field("batchnorm", pa.string()),
        pa.field("local_steps", pa.int32(), metadata={"about": "0 for a gradient, else steps of local training"}),
        pa.field("client_seed", pa.int64()),
        pa.field("status", pa.string(), metadata={"about": "done or diverged"}),
        pa.field("objective", pa.float64(), metadata={"about": "of the winning start, without priors"}),
        pa.field("psnr", pa.float64(), metadata={"about": "dB, 8-bit RGB, against the original before any policy"}),
        pa.field("original", pa.binary(), metadata={"about": "PNG"}),
        pa.field("reconstruction", pa.binary(), metadata={"about": "PNG"}),
    ]
)
