"""Scored pairs as the rows of a table, and the files that hold such tables."""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from semsim.exceptions import ErrorCode, InvalidOption, MissingExtra, SemSimError
from semsim.manifest import Manifest
from semsim.pairs import PairFailure
from semsim.scorer import PairScore
from semsim.summary import Summary
from semsim.uninformative import Uninformative

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def text(name: str) -> str:
    r"""A file name that any table and terminal can show: bytes that are not UTF-8, and controls, become ``\xe9``."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").translate(_CONTROL)


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One pair of two directories, scored or failed; its numbers are those of :class:`semsim.scorer.PairScore`."""

    original: str | None
    reconstruction: str | None
    """Both paths are relative to their directories. One is None where the other is in no pair; the error says why."""
    distance: float | None = None
    leakage: float | None = None
    recognizable: bool | None = None
    mse: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    lpips: float | None = None
    resized: bool | None = None
    uninformative: str | None = None
    chance: float | None = None
    identified: bool | None = None
    leakage_low: float | None = None
    leakage_high: float | None = None
    error_code: str | None = None
    error_message: str | None = None

    @classmethod
    def of(cls, original: Path, reconstruction: Path, result: PairScore | PairFailure) -> Self:
        """The row of a pair and its result; paths are written with forward slashes."""
        names = text(original.as_posix()), text(reconstruction.as_posix())
        if isinstance(result, PairFailure):
            return cls(*names, error_code=result.code.value, error_message=text(result.message))
        return cls(*names, **asdict(result))

    @classmethod
    def unpaired(cls, error: SemSimError, *, original: Path | None = None, reconstruction: Path | None = None) -> Self:
        """The row of one file that is in no pair, because it could not be read or has no partner."""
        return cls(
            None if original is None else text(original.as_posix()),
            None if reconstruction is None else text(reconstruction.as_posix()),
            error_code=error.code.value,
            error_message=text(str(error)),
        )

    def origin(self) -> dict[str, Any]:
        """The values of the row that do not come from its scoring, by the names of their columns."""
        scored = {field.name for field in fields(PairScore)} | {"error_code", "error_message"}
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in scored}

    @property
    def is_fault(self) -> bool:
        """True where the scorer had a fault: nothing is known of the pair, and another attempt may score it."""
        return self.error_code == ErrorCode.INTERNAL

    def result(self) -> PairScore | PairFailure:
        """The result that the row was made of."""
        if self.error_code is not None:
            return PairFailure(ErrorCode(self.error_code), self.error_message or "")
        values = {field.name: getattr(self, field.name) for field in fields(PairScore)}
        if self.uninformative is not None:
            values["uninformative"] = Uninformative(self.uninformative)
        return PairScore(**values)


class TableFormat(StrEnum):
    """The file formats of a table of rows, by suffix."""

    PARQUET = ".parquet"
    CSV = ".csv"
    JSON = ".json"

    @classmethod
    def of(cls, path: Path) -> Self:
        """The format that ``path``'s suffix names.

        Raises:
            InvalidOption: the suffix names no format.
            MissingExtra: Parquet is asked for, and pyarrow is not installed.
        """
        try:
            chosen = cls(path.suffix.lower())
        except ValueError:
            raise InvalidOption(f"expected an output file ending in .parquet, .csv or .json, got {path}") from None
        if chosen is TableFormat.PARQUET:
            _pyarrow()
        return chosen


def write_table(
    path: Path, rows: Sequence[ScoreRow], manifest: Manifest, summary: Summary, kind: type[ScoreRow] = ScoreRow
) -> None:
    """Write ``rows`` as Parquet, CSV or JSON, by the suffix of ``path``; an interruption leaves no half a file.

    The fields of ``kind`` are the columns.
    """
    partial = path.with_name(path.name + ".writing")
    try:
        match TableFormat.of(path):
            case TableFormat.PARQUET:
                _write_parquet(partial, rows, manifest, kind)
            case TableFormat.CSV:
                _write_csv(partial, rows, kind)
            case TableFormat.JSON:
                partial.write_text(json.dumps(report(rows, manifest, summary), indent=2, allow_nan=False) + "\n")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def report(rows: Sequence[ScoreRow], manifest: Manifest, summary: Summary) -> dict[str, Any]:
    """The run as JSON-ready data in the shape of the service's answer; an infinite psnr is null."""
    return {
        "model": {"name": manifest.name, "version": manifest.version, "sha256": manifest.graph.sha256},
        "results": [_json_row(row) for row in rows],
        "summary": asdict(summary),
    }


def _json_row(row: ScoreRow) -> dict[str, Any]:
    origin, result = row.origin(), row.result()
    if isinstance(result, PairFailure):
        return origin | {"error": {"code": result.code.value, "message": result.message}}
    return origin | asdict(result) | {"psnr": result.psnr if math.isfinite(result.psnr) else None}


def _write_csv(path: Path, rows: Sequence[ScoreRow], kind: type[ScoreRow]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(kind)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def _write_parquet(path: Path, rows: Sequence[ScoreRow], manifest: Manifest, kind: type[ScoreRow]) -> None:
    pyarrow, parquet = _pyarrow()
    types = {str: pyarrow.string(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    columns = {
        field.name: next(arrow for python, arrow in types.items() if python.__name__ in str(field.type))
        for field in fields(kind)
    }
    schema = pyarrow.schema(
        columns,
        metadata={
            "semsim.model": manifest.name,
            "semsim.model_version": manifest.version,
            "semsim.model_sha256": manifest.graph.sha256,
        },
    )
    parquet.write_table(pyarrow.Table.from_pylist([asdict(row) for row in rows], schema=schema), path)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise MissingExtra("Parquet output needs pyarrow: pip install 'semsim[bulk]'") from error
    return pyarrow, pyarrow.parquet
