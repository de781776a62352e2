"""The table of an earlier run, and how far leakage has risen since then."""

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semsim.bulk.numbering import composed
from semsim.bulk.rows import ScoreRow, TableFormat
from semsim.exceptions import InvalidOption, MissingExtra

PairName = tuple[str, str]
"""The names of an original and of a reconstruction of it, each with its characters composed."""

_DRAWS = 1000
_UPPER = 95.0
"""The percentile of draws past which a mean has risen: the end of the middle 90%, as the range of a leakage has it."""
_SLACK = 1e-4
"""The differences of leakages that another processor makes by its rounding."""


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """The leakages of an earlier run."""

    path: Path
    leakages: Mapping[PairName, float]
    model_sha256: str | None
    """The graph that gave them; None for CSV, which does not tell."""

    @classmethod
    def read(cls, path: Path) -> "EarlierRun":
        """Read a table that ``semsim score-dir -o`` or ``semsim score-set -o`` wrote.

        Raises:
            InvalidOption: it cannot be read, is no such table, or no pair of it has a leakage.
            MissingExtra: it is Parquet, and pyarrow is not installed.
        """
        try:
            rows, sha256 = _READERS[TableFormat(path.suffix.lower())](path)
            leakages = {pair_name(row["original"], row["reconstruction"]): _leakage(row) for row in rows}
            if len(leakages) < len(rows):
                raise ValueError("two rows of one pair")
        except MissingExtra:
            raise
        except Exception as error:  # noqa: BLE001  # whatever csv, json and pyarrow raise at another file
            reason = getattr(error, "strerror", None) or f"{type(error).__name__} {error}"
            raise InvalidOption(
                f"expected --baseline to be a table of an earlier run, .parquet, .csv or .json, got {path}: {reason}"
            ) from None
        told = {name: leakage for name, leakage in leakages.items() if leakage is not None}
        if not told:
            raise InvalidOption(f"expected a leakage in the table of --baseline, got none in {path}")
        return cls(path, told, sha256)


def pair_name(original: str | None, reconstruction: str | None) -> PairName:
    """The names of a pair of a table, by which rows of two runs are compared."""
    return str(composed(Path(original or ""))), str(composed(Path(reconstruction or "")))


def leakages_of(rows: Sequence[ScoreRow]) -> dict[PairName, float]:
    """The leakages of rows by the names of their pairs, for those that have one; of rows of one name the highest."""
    told = sorted((row.leakage, pair_name(row.original, row.reconstruction)) for row in rows if row.leakage is not None)
    return {name: leakage for leakage, name in told}


def risen(
    before: Mapping[PairName, float], now: Mapping[PairName, float], limit: float | None, margin: float | None
) -> list[str]:
    """Say in words whether the mean of leakages, or the share of pairs above ``limit``, has risen.

    Without a ``margin`` it has risen when it is past the range of the mean of ``before`` over 1000 draws of its
    originals with replacement (Efron, 1979; its middle 90%). With one, it has risen when it is past that.
    """
    old_values, new_values = np.array(list(before.values())), np.array(list(now.values()))
    statistics = {"mean leakage": (old_values, new_values)}
    if limit is not None:
        both = (old_values > limit).astype(np.float64), (new_values > limit).astype(np.float64)
        statistics[f"share of pairs above {limit:g}"] = both
    told = []
    for name, (old, of_now) in statistics.items():
        new = float(of_now.mean())
        most = float(old.mean()) + margin if margin is not None else _upper_end(old, [one for one, _ in before])
        if not new <= most + _SLACK:
            allowed = "margin" if margin is not None else "range of draws"
            told.append(f"the {name} rose from {old.mean():.4f} to {new:.4f}, past the {allowed}, {most:.4f}")
    return told


def _upper_end(values: NDArray[np.float64], originals: Sequence[str]) -> float:
    """The end of the range of the mean over draws of originals, each with all of its reconstructions."""
    _, groups = np.unique(np.array(originals), return_inverse=True)
    sums, counts = np.bincount(groups, weights=values), np.bincount(groups)
    generator = np.random.default_rng(0)
    means = []
    for _ in range(_DRAWS):
        drawn = generator.integers(0, len(sums), len(sums))
        means.append(sums[drawn].sum() / counts[drawn].sum())
    return float(np.percentile(means, _UPPER))


def _leakage(row: Mapping[str, Any]) -> float | None:
    written = row["leakage"] if "error" not in row else None
    if written in (None, ""):
        return None
    leakage = float(written)
    if not (math.isfinite(leakage) and 0 <= leakage <= 1):
        raise ValueError(f"a leakage of {written}")
    return leakage


def _read_csv(path: Path) -> tuple[list[dict[str, Any]], None]:
    """The rows of a CSV. A line that was cut is refused: the pairs behind it would count as new ones."""
    with path.open(newline="", encoding="utf-8") as file:
        content = file.read()
    if not content.endswith("\n"):
        raise ValueError("no end of line at the end: it may have been cut short")
    reader = csv.DictReader(io.StringIO(content, newline=""), strict=True)
    rows = []
    for row in reader:
        if None in row or None in row.values():  # so DictReader shows cells without a name, and missing ones
            raise ValueError(f"line {reader.line_num} has {'more' if None in row else 'fewer'} cells than the first")
        rows.append(row)
    return rows, None


def _read_json(path: Path) -> tuple[list[dict[str, Any]], str]:
    content = json.loads(path.read_text())
    return content["results"], str(content["model"]["sha256"])


def _read_parquet(path: Path) -> tuple[list[dict[str, Any]], str]:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise MissingExtra("a baseline in Parquet needs pyarrow: pip install 'semsim[bulk]'") from error
    table = parquet.read_table(path, columns=["original", "reconstruction", "leakage"])
    return table.to_pylist(), table.schema.metadata[b"semsim.model_sha256"].decode()


_READERS: dict[TableFormat, Callable[[Path], tuple[list[dict[str, Any]], str | None]]] = {
    TableFormat.CSV: _read_csv,
    TableFormat.JSON: _read_json,
    TableFormat.PARQUET: _read_parquet,
}
