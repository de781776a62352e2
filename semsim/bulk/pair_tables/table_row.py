"""Scored pairs of a table as the rows of Parquet files."""

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import pyarrow
import pyarrow.parquet

from semsim.bulk.rows import text
from semsim.manifest import Manifest
from semsim.pairs import PairFailure
from semsim.scorer import PairScore

_TYPES = {"float": pyarrow.float64(), "bool": pyarrow.bool_(), "Uninformative": pyarrow.string()}


@dataclass(frozen=True, slots=True)
class TableRow:
    """One pair of a table and its result."""

    file: str
    """The file of the pair, relative to the table."""
    row: int | None
    """The place of the pair in its file, from 0; None for the failure of all that could not be read behind it."""
    id: str | None
    result: PairScore | PairFailure

    def values(self) -> dict[str, Any]:
        """The values of the row by column."""
        origin = {"file": text(self.file), "row": self.row, "id": None if self.id is None else text(self.id)}
        if isinstance(self.result, PairFailure):
            return origin | {"error_code": self.result.code.value, "error_message": text(self.result.message)}
        return origin | asdict(self.result)


def parquet_bytes(pairs: Sequence[TableRow], manifest: Manifest) -> bytes:
    """A Parquet file of scored pairs, with a column for each number of :class:`semsim.scorer.PairScore`."""
    columns = {"file": pyarrow.string(), "row": pyarrow.int64(), "id": pyarrow.string()}
    columns |= {field.name: _type(field.type) for field in fields(PairScore)}
    columns |= {"error_code": pyarrow.string(), "error_message": pyarrow.string()}
    model = {"model": manifest.name, "model_version": manifest.version, "model_sha256": manifest.graph.sha256}
    schema = pyarrow.schema(columns, metadata={f"semsim.{name}": value for name, value in model.items()})
    buffer = io.BytesIO()
    table = pyarrow.Table.from_pylist([pair.values() for pair in pairs], schema=schema)
    pyarrow.parquet.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _type(annotation: Any) -> Any:
    """The type of a column for the annotation of a field, which may allow None."""
    return next(kind for name, kind in _TYPES.items() if name in str(annotation))
