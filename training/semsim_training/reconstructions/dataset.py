"""A reconstruction set on disk: ``dataset.json``, ``plan.json`` and ``shards/*.parquet``."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import AfterValidator, BaseModel

from semsim.exceptions import HashMismatch, InvalidDataset
from semsim_training.client_images.source import ImageChoice
from semsim_training.configuration import Description, FrozenModel
from semsim_training.machine import machine
from semsim_training.plug_ins import PlugInKind, plug_ins
from semsim_training.reconstructions.schema import SCHEMA, ReconstructionRow

if TYPE_CHECKING:
    from semsim_training.reconstructions.grid import Grid  # brings torch, which reading a set does not need


class ShardFile(FrozenModel):
    """One file of a set."""

    name: str
    rows: int
    sha256: str
    seconds: float | None = None
    """The time that one worker took, in its last run where the shard was resumed. Workers at once count one by one."""


class _GridImages(BaseModel):
    """The part of a grid that tells where its originals are."""

    images: dict[str, ImageChoice] = {}


def _with_sources(grid: dict[str, Any]) -> dict[str, Any]:
    _GridImages.model_validate(grid)
    return grid


class DatasetDescription(Description):
    """A finished set, as ``dataset.json`` in its directory describes it."""

    CONTENT: ClassVar[str] = "a finished reconstruction set"
    REFUSAL: ClassVar = InvalidDataset
    FILE: ClassVar[str] = "dataset.json"

    format_version: Literal[2, 3] = 3
    """Sets of version 1 held their originals; those of version 2 do not say what their reconstructions explain."""
    name: str
    rows: int
    settings: int
    diverged: int
    victims: dict[str, str]
    """The hash of each victim's weights."""
    libraries: dict[str, str]
    """The versions of the libraries that made the set, and of the packages whose plug-ins its grid names."""
    machine: str
    """The machine on which the set was finished."""
    grid: Annotated[dict[str, Any], AfterValidator(_with_sources)]
    """The grid as its configuration said it, without what is left at its default."""
    shards: tuple[ShardFile, ...]

    @property
    def sources(self) -> tuple[ImageChoice, ...]:
        """The sources of the originals."""
        return tuple(_GridImages.model_validate(self.grid).images.values())


def check_shards(directory: Path) -> None:
    """Refuse a set that another version of SemSim began, before anything is computed for it or removed from it.

    Raises:
        InvalidDataset: a shard has other columns.
    """
    for path in sorted((directory / "shards").glob("*.parquet")):
        if (schema := pq.read_schema(path)) != SCHEMA:
            raise InvalidDataset(
                f"expected the columns {', '.join(SCHEMA.names)} in {path}, got {', '.join(schema.names)}: another "
                "version of SemSim began this set, begin it again in an empty directory"
            )


def describe(directory: Path, grid: "Grid", victims: dict[str, str]) -> DatasetDescription:
    """Write ``dataset.json`` over the shards that are there, which must be all of them.

    Raises:
        InvalidDataset: a shard that another version of SemSim wrote.
    """
    check_shards(directory)
    files, settings, diverged, seconds = [], set[str](), 0, _seconds(directory)
    for path in sorted((directory / "shards").glob("*.parquet")):
        data = path.read_bytes()
        table = _table_of(data)
        rows = ReconstructionRow.read_table(table)
        settings |= {row.setting for row in rows}
        diverged += sum(not row.done for row in rows)
        files.append(
            ShardFile(
                name=path.name,
                rows=len(rows),
                sha256=hashlib.sha256(data).hexdigest(),
                seconds=seconds.get(path.stem),
            )
        )
    description = DatasetDescription(
        name=grid.name,
        rows=sum(file.rows for file in files),
        settings=len(settings),
        diverged=diverged,
        victims=victims,
        libraries=_libraries() | _packages_of_plug_ins(grid),
        machine=machine(),
        grid=json.loads(grid.model_dump_json(exclude_defaults=True)),
        shards=tuple(files),
    )
    (directory / description.FILE).write_text(description.model_dump_json(indent=2) + "\n")
    return description


def read_shards(directory: Path, description: DatasetDescription) -> pa.Table:
    """The columns ``SCHEMA`` of a finished set, its rows in order, every file checked against its hash.

    Raises:
        InvalidDataset: a file is missing.
        HashMismatch: a file is not the one that was written.
    """
    tables = []
    for file in description.shards:
        path = directory / "shards" / file.name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InvalidDataset(f"expected the shard {path}: {error.strerror}") from error
        got = hashlib.sha256(data).hexdigest()
        if got != file.sha256:
            raise HashMismatch(f"expected {path} with sha256 {file.sha256}, got {got}")
        tables.append(_table_of(data))
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


def _packages_of_plug_ins(grid: "Grid") -> dict[str, str]:
    named = {(PlugInKind.ATTACK, setting.attack.preset) for setting in grid.settings}
    named |= {(PlugInKind.DEFENSE, step.kind) for setting in grid.settings for step in setting.defense.steps}
    networks = (victim.network for victim in grid.victims.values())
    named |= {(PlugInKind.VICTIM, network.architecture) for network in networks if network is not None}
    packages = (plugged.entry.dist for kind, name in named for plugged in plug_ins(kind).get(name, ()))
    return {package.name: package.version for package in sorted(filter(None, packages), key=lambda one: one.name)}


def _table_of(data: bytes) -> pa.Table:
    """The table of a Parquet file, read by this thread alone.

    ``read_table`` lets threads of Arrow hold the bytes. One that lets go of them while Python ends aborts the process.
    """
    return pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
