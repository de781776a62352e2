"""Reads a study from a table with a row for each reconstruction: judgements, and metrics that somebody computed."""

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
from semsim_training.faithfulness.metric_values import Direction, Metric
from semsim_training.faithfulness.study import Study
from semsim_training.judged.judged_set import JudgedSet


@dataclass(frozen=True, slots=True)
class JudgementColumns:
    """The names of the columns."""

    setting: str = "setting"
    original: str = "image_id"
    label: str = "true_label"
    annotators: str = "annotator_"
    """The beginning of each annotator's column. A cell holds a class. Any other text means unrecognizable, and an empty
    cell means that the annotator did not judge the reconstruction."""
    metrics: tuple[str, ...] = ()
    """The columns of metrics; empty: every column whose direction is known or given."""


@dataclass(frozen=True, slots=True)
class JudgementTable:
    """A study, and the columns of the table that it leaves aside."""

    study: Study
    unused: tuple[str, ...]


def read_judgement_table(
    path: Path,
    kind: AnnotatorKind,
    columns: JudgementColumns | None = None,
    directions: Mapping[str, Direction] | None = None,
    name: str | None = None,
) -> JudgementTable:
    """The study in a ``.csv`` or ``.parquet`` table; an item is a setting and an original.

    Args:
        path: the table.
        kind: the annotators who judged.
        columns: the names of the columns.
        directions: the directions of metrics that are not known by name.
        name: the study's name; by default the file's.

    Raises:
        InvalidAnnotations: there is no table, a column is missing, or the rows are no judged set.
        InvalidOption: the direction of a metric is neither known nor given.
        InvalidDataset: the metric values cannot be used.
    """
    columns, directions = columns or JudgementColumns(), directions or {}
    table = _read(path, columns)
    annotators = [column for column in table.column_names if column.startswith(columns.annotators)]
    if not annotators:
        raise InvalidAnnotations(f"expected columns that begin with {columns.annotators} in {path}, got none")
    metrics = _metrics(table, columns, directions)
    settings, originals, labels = (
        _texts(table, column, path) for column in (columns.setting, columns.original, columns.label)
    )
    judgements = list(zip(*(_cells(table[annotator]) for annotator in annotators), strict=True))
    judged = JudgedSet(
        name=name or path.stem,
        kind=kind,
        items=tuple(f"{setting}/{original}" for setting, original in zip(settings, originals, strict=True)),
        settings=settings,
        originals=originals,
        recognised=np.array([row.count(label) for row, label in zip(judgements, labels, strict=True)], dtype=np.int64),
        annotators=np.array([len(row) - row.count(None) for row in judgements], dtype=np.int64),
    )
    used = {columns.setting, columns.original, columns.label, *annotators, *(metric.name for metric in metrics)}
    unused = tuple(column for column in table.column_names if column not in used)
    return JudgementTable(Study(judged, metrics), unused)


def _read(path: Path, columns: JudgementColumns) -> pa.Table:
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
            raise InvalidAnnotations(f"expected a table of judgements .csv or .parquet, got {path}")
    except (OSError, pa.ArrowInvalid) as error:
        raise InvalidAnnotations(f"expected a table of judgements at {path}: {error}") from error
    for column in (columns.setting, columns.original, columns.label, *columns.metrics):
        if column not in table.column_names:
            raise InvalidAnnotations(f"expected a column {column} in {path}, got {', '.join(table.column_names)}")
    return table


def _metrics(table: pa.Table, columns: JudgementColumns, directions: Mapping[str, Direction]) -> tuple[Metric, ...]:
    strangers = sorted(set(directions) - set(table.column_names))
    if strangers:
        raise InvalidOption(f"expected --direction of one of {', '.join(table.column_names)}, got {strangers[0]}")
    names: Sequence[str] = columns.metrics or [
        name for name in table.column_names if direction_of(name, directions) is not None
    ]
    return tuple(column_metric(name, table[name], directions) for name in names)


def _texts(table: pa.Table, column: str, path: Path) -> tuple[str, ...]:
    texts = _cells(table[column])
    if None in texts:
        raise InvalidAnnotations(f"expected a {column} in each row of {path}, got none in {texts.count(None)}")
    return tuple(text for text in texts if text is not None)


def _cells(column: pa.ChunkedArray) -> list[str | None]:
    """Cells as text; a whole number is written as one even where empty cells made the column floats."""
    texts: list[str | None] = []
    for cell in column.to_pylist():
        if cell is None or cell != cell:  # NaN is the only value that is not itself
            texts.append(None)
        else:
            texts.append(str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell))
    return texts
