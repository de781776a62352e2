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
from semsim_training.annotation.taken_judgements import told
from semsim_training.faithfulness.directions import column_metric, direction_of
from semsim_training.faithfulness.judgement_rows import JudgementRow, wrong_rows
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
    cell means that the annotator did not judge the reconstruction. A class in other letters, such as Cat for cat, is
    neither: its row is refused."""
    metrics: tuple[str, ...] = ()
    """The columns of metrics; empty: every column whose direction is known or given."""


@dataclass(frozen=True, slots=True)
class JudgementTable:
    """A study, and the columns and the rows of the table that it leaves aside."""

    study: Study
    unused: tuple[str, ...]
    refused: tuple[str, ...] = ()
    """A sentence for each row that is no judged item; nothing of it counts."""


def read_judgement_table(
    path: Path,
    kind: AnnotatorKind,
    columns: JudgementColumns | None = None,
    directions: Mapping[str, Direction] | None = None,
    name: str | None = None,
) -> JudgementTable:
    """The study in a ``.csv`` or ``.parquet`` table; an item is a setting and an original.

    Refused alone are rows without a setting, an original, a label or any judgement, rows of one item, rows of another
    length than the header's, and rows with a class in other letters.

    Args:
        path: the table.
        kind: the annotators who judged.
        columns: the names of the columns.
        directions: the directions of metrics that are not known by name.
        name: the study's name; by default the file's.

    Raises:
        InvalidAnnotations: there is no table, a column is missing, or no row can be taken.
        InvalidOption: the direction of a metric is neither known nor given.
        InvalidDataset: the metric values cannot be used.
    """
    columns, directions = columns or JudgementColumns(), directions or {}
    table, refused = _read(path, columns)
    annotators = [column for column in table.column_names if column.startswith(columns.annotators)]
    if not annotators:
        raise InvalidAnnotations(f"expected columns that begin with {columns.annotators} in {path}, got none")
    settings, originals, labels = (_cells(table[name]) for name in (columns.setting, columns.original, columns.label))
    judgements = zip(*(_cells(table[annotator]) for annotator in annotators), strict=True)
    rows = [JudgementRow(*row) for row in zip(range(len(table)), settings, originals, labels, judgements, strict=True)]
    wrong = wrong_rows(rows)
    refused += [f"row {row + 1}: {reason}" for row, reason in wrong.items()]
    rows = [row for row in rows if row.number not in wrong]
    if not rows:
        raise InvalidAnnotations(f"expected judgements in {path}, got none{': ' * bool(refused)}{told(refused)}")
    metrics = _metrics(table.take([row.number for row in rows]), columns, directions)
    judged = JudgedSet(
        name=name or path.stem,
        kind=kind,
        items=tuple(row.item for row in rows),
        settings=tuple(str(row.setting) for row in rows),
        originals=tuple(str(row.original) for row in rows),
        recognised=np.array([row.judgements.count(row.label) for row in rows], dtype=np.int64),
        annotators=np.array([len(row.judgements) - row.judgements.count(None) for row in rows], dtype=np.int64),
    )
    used = {columns.setting, columns.original, columns.label, *annotators, *(metric.name for metric in metrics)}
    unused = tuple(column for column in table.column_names if column not in used)
    return JudgementTable(Study(judged, metrics), unused, tuple(refused))


def _read(path: Path, columns: JudgementColumns) -> tuple[pa.Table, list[str]]:
    """The table, and a sentence for each row of another length than the header's."""
    refused: list[str] = []

    def skip(row: pa.csv.InvalidRow) -> str:
        refused.append(f"expected {row.expected_columns} cells in a row, got {row.actual_columns}: {row.text[:40]!r}")
        return "skip"

    try:
        if path.suffix == ".parquet":
            table = pq.read_table(path)
        elif path.suffix == ".csv":
            parsing = pa.csv.ParseOptions(invalid_row_handler=skip)
            header = pa.csv.open_csv(path, parse_options=parsing).schema.names
            refused.clear()
            # As text: a label 012 is no number, and one annotator's words must not make another's numbers differ.
            named = {columns.setting, columns.original, columns.label}
            words = {name: pa.string() for name in header if name in named or name.startswith(columns.annotators)}
            table = pa.csv.read_csv(
                path,
                parse_options=parsing,
                convert_options=pa.csv.ConvertOptions(column_types=words, null_values=[""], strings_can_be_null=True),
            )
        else:
            raise InvalidAnnotations(f"expected a table of judgements .csv or .parquet, got {path}")
    except (OSError, pa.ArrowInvalid) as error:
        raise InvalidAnnotations(f"expected a table of judgements at {path}: {error}") from error
    for column in (columns.setting, columns.original, columns.label, *columns.metrics):
        if column not in table.column_names:
            raise InvalidAnnotations(f"expected a column {column} in {path}, got {', '.join(table.column_names)}")
    return table, refused


def _metrics(table: pa.Table, columns: JudgementColumns, directions: Mapping[str, Direction]) -> tuple[Metric, ...]:
    strangers = sorted(set(directions) - set(table.column_names))
    if strangers:
        raise InvalidOption(f"expected --direction of one of {', '.join(table.column_names)}, got {strangers[0]}")
    names: Sequence[str] = columns.metrics or [
        name for name in table.column_names if direction_of(name, directions) is not None
    ]
    return tuple(column_metric(name, table[name], directions) for name in names)


def _cells(column: pa.ChunkedArray) -> list[str | None]:
    """Cells as text without spaces around it, blank ones as ``None``.

    A whole number is written as one even where empty cells made the column floats.
    """
    texts: list[str | None] = []
    for cell in column.to_pylist():
        if cell is None or cell != cell:  # NaN is the only value that is not itself
            texts.append(None)
        else:
            text = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
            texts.append(text.strip() or None)
    return texts
