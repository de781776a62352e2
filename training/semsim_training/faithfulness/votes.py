"""Studies from a table with a row a reconstruction: what annotators answered, and metrics that somebody computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.faithfulness.directions import column_metric, direction_of
from semsim_training.faithfulness.study import Direction, Metric, Study


@dataclass(frozen=True, slots=True)
class VoteColumns:
    """What the columns are called."""

    setting: str = "setting"
    original: str = "image_id"
    label: str = "true_label"
    annotators: str = "annotator_"
    """How each annotator's column begins. A cell is a class, or anything else: unrecognizable; or empty: not judged."""
    metrics: tuple[str, ...] = ()
    """Empty: every column whose direction is known or given."""


@dataclass(frozen=True, slots=True)
class VoteTable:
    """A study, and what of the table it leaves aside."""

    study: Study
    unused: tuple[str, ...]
    """Columns that are read as nothing."""


def read_votes(
    path: Path,
    judged_by: AnnotatorKind,
    columns: VoteColumns | None = None,
    directions: Mapping[str, Direction] | None = None,
    name: str | None = None,
) -> VoteTable:
    """The study in a ``.csv`` or ``.parquet`` table; an item is a setting and an original.

    Raises:
        InvalidAnnotations: no such table, a column is missing, or the rows are no study.
        InvalidOption: a metric whose direction is neither known nor given.
        InvalidDataset: the metric values are no study's.
    """
    columns, directions = columns or VoteColumns(), directions or {}
    table = _read(path, columns)
    voters = [column for column in table.column_names if column.startswith(columns.annotators)]
    if not voters:
        raise InvalidAnnotations(f"expected columns that begin with {columns.annotators} in {path}, got none")
    metrics = _metrics(table, columns, directions)
    settings, originals, labels = (
        _texts(table, column, path) for column in (columns.setting, columns.original, columns.label)
    )
    answers = [_answers(table[voter]) for voter in voters]
    votes = np.array([[answer is not None for answer in own] for own in answers])
    right = np.array([[answer == label for answer, label in zip(own, labels, strict=True)] for own in answers])
    study = Study(
        name=name or path.stem,
        judged_by=judged_by,
        items=tuple(f"{setting}/{original}" for setting, original in zip(settings, originals, strict=True)),
        settings=settings,
        originals=originals,
        recognised=right.sum(axis=0, dtype=np.int64),
        judges=votes.sum(axis=0, dtype=np.int64),
        metrics=metrics,
    )
    used = {columns.setting, columns.original, columns.label, *voters, *(metric.name for metric in metrics)}
    return VoteTable(study, tuple(column for column in table.column_names if column not in used))


def _read(path: Path, columns: VoteColumns) -> pa.Table:
    try:
        if path.suffix == ".parquet":
            table = pq.read_table(path)
        elif path.suffix == ".csv":
            header = pa.csv.open_csv(path).schema.names
            # As text: a label 012 is no number, and one annotator's words must not make another's numbers differ.
            named = {columns.setting, columns.original, columns.label}
            words = {name: pa.string() for name in header if name in named or name.startswith(columns.annotators)}
            table = pa.csv.read_csv(
                path,
                convert_options=pa.csv.ConvertOptions(column_types=words, null_values=[""], strings_can_be_null=True),
            )
        else:
            raise InvalidAnnotations(f"expected a table of votes .csv or .parquet, got {path}")
    except (OSError, pa.ArrowInvalid) as error:
        raise InvalidAnnotations(f"expected a table of votes at {path}: {error}") from error
    for column in (columns.setting, columns.original, columns.label, *columns.metrics):
        if column not in table.column_names:
            raise InvalidAnnotations(f"expected a column {column} in {path}, got {', '.join(table.column_names)}")
    return table


def _metrics(table: pa.Table, columns: VoteColumns, directions: Mapping[str, Direction]) -> tuple[Metric, ...]:
    strangers = sorted(set(directions) - set(table.column_names))
    if strangers:
        raise InvalidOption(f"expected --direction of one of {', '.join(table.column_names)}, got {strangers[0]}")
    names: Sequence[str] = columns.metrics or [
        name for name in table.column_names if direction_of(name, directions) is not None
    ]
    return tuple(column_metric(name, table[name], directions) for name in names)


def _texts(table: pa.Table, column: str, path: Path) -> tuple[str, ...]:
    texts = _answers(table[column])
    if None in texts:
        raise InvalidAnnotations(f"expected a {column} in each row of {path}, got none in {texts.count(None)}")
    return tuple(text for text in texts if text is not None)


def _answers(column: pa.ChunkedArray) -> list[str | None]:
    """Cells as text; a whole number is written as one even where empty cells made the column floats."""
    found: list[str | None] = []
    for cell in column.to_pylist():
        if cell is None or cell != cell:  # NaN is the only value that is not itself
            found.append(None)
        else:
            found.append(str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell))
    return found
