"""A reconstruction set on disk: ``dataset.json``, ``plan.json`` and ``shards/*.parquet``."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from semsim.exceptions import HashMismatch, InvalidDataset
from semsim_training.configuration import read_description
from semsim_training.machine import machine
from semsim_training.reconstructions.schema import SCHEMA

if TYPE_CHECKING:
    from semsim_training.reconstructions.grid import Grid  # brings torch, which reading a set does not need

FORMAT_VERSION = 1
DESCRIPTION = "dataset.json"


class ShardFile(BaseModel):
    """One file of a set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    rows: int
    sha256: str
    seconds: float | None = None
    """Of one worker; what several did at once counts for each."""


class DatasetDescription(BaseModel):
    """What ``dataset.json`` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int = FORMAT_VERSION
    name: str
    rows: int
    settings: int
    diverged: int
    victims: dict[str, str]
    """The hash of each victim's weights."""
    libraries: dict[str, str]
    machine: str
    grid: dict[str, Any]
    shards: tuple[ShardFile, ...]

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read the description of a set.

        Raises:
            InvalidDataset: no set there, or its description does not fit the schema.
        """
        return read_description(cls, directory / DESCRIPTION, InvalidDataset, "a finished reconstruction set")


def describe(directory: Path, grid: "Grid", victims: dict[str, str]) -> DatasetDescription:
    """Write ``dataset.json`` over the shards that are there, which must be all of them."""
    files, keys, diverged, seconds = [], set(), 0, _seconds(directory)
    for path in sorted((directory / "shards").glob("*.parquet")):
        data = path.read_bytes()
        table = pq.read_table(pa.BufferReader(data), columns=["setting", "status"])
        keys |= set(table["setting"].to_pylist())
        diverged += table["status"].to_pylist().count("diverged")
        files.append(
            ShardFile(
                name=path.name,
                rows=len(table),
                sha256=hashlib.sha256(data).hexdigest(),
                seconds=seconds.get(path.stem),
            )
        )
    description = DatasetDescription(
        name=grid.name,
        rows=sum(file.rows for file in files),
        settings=len(keys),
        diverged=diverged,
        victims=victims,
        libraries=_libraries(),
        machine=machine(),
        grid=json.loads(grid.model_dump_json(exclude_defaults=True)),
        shards=tuple(files),
    )
    (directory / DESCRIPTION).write_text(description.model_dump_json(indent=2) + "\n")
    return description


def read_set(directory: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of a finished set, in order, every file checked against its hash.

    Raises:
        InvalidDataset: no finished set there, or a file is missing.
        HashMismatch: a file is not the one that was written.
    """
    tables = []
    for file in DatasetDescription.read(directory).shards:
        path = directory / "shards" / file.name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InvalidDataset(f"expected the shard {path}: {error.strerror}") from error
        got = hashlib.sha256(data).hexdigest()
        if got != file.sha256:
            raise HashMismatch(f"expected {path} with sha256 {file.sha256}, got {got}")
        tables.append(pq.read_table(pa.BufferReader(data), columns=None if columns is None else list(columns)))
    return pa.concat_tables(tables) if tables else SCHEMA.empty_table()


def remember_seconds(directory: Path, shard: str, seconds: float) -> None:
    """Note how long a shard took, apart from its bytes, which are the same wherever they are made."""
    (directory / "seconds.json").write_text(json.dumps(_seconds(directory) | {shard: seconds}, indent=2) + "\n")


def _seconds(directory: Path) -> dict[str, float]:
    path = directory / "seconds.json"
    seconds: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
    return seconds


def _libraries() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("semsim", "torch", "torchvision", "numpy", "pillow", "pyarrow")}
