"""Metric values of the reconstructions of a set, kept in a table that holds no image."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from semsim.exceptions import InvalidDataset, InvalidOption
from semsim.progress import Progress, silent
from semsim_training.faithfulness.directions import column_metric
from semsim_training.faithfulness.metric_values import Direction, Metric
from semsim_training.faithfulness.values import Wanted, compute_metrics
from semsim_training.judged.pair import Pair, PictureSource

_DIRECTION, _DATASET, _SHA256 = b"direction", b"dataset", b"dataset_sha256"


def metrics_of(
    dataset: str,
    pairs: Sequence[Pair],
    wanted: Wanted,
    *,
    table: Path | None = None,
    everything: Sequence[Pair] = (),
    directions: Mapping[str, Direction],
    progress: Progress = silent,
) -> tuple[Metric, ...]:
    """The metrics of ``pairs``, from a table where it exists, else computed.

    Args:
        dataset: the name of the set.
        pairs: the pairs to measure.
        wanted: the metrics to compute.
        table: where values are kept. Where it does not exist yet, it is written with those of ``everything``.
        everything: all pairs of the set, for the table.
        directions: the directions of metrics that are not known by name.
        progress: called as values are computed.

    Raises:
        InvalidOption: metrics are wanted beside a table that exists, the directory of a new one does not exist, or a
            direction is given for a metric that is not there.
        InvalidDataset: the table does not fit.
    """
    if table is not None and table.exists():
        if wanted != Wanted():
            raise InvalidOption(f"expected no --artifact and no --lpips beside the values in {table}, or no such file")
        metrics = read_values(table, dataset, pairs, directions)
    elif table is not None:
        if not table.absolute().parent.is_dir():
            raise InvalidOption(f"expected --values in an existing directory, got {table}")
        write_values(table, dataset, everything, compute_metrics(everything, wanted, progress))
        metrics = read_values(table, dataset, pairs, directions)
    else:
        metrics = compute_metrics(pairs, wanted, progress)
    strangers = sorted(set(directions) - {metric.name for metric in metrics})
    if strangers:
        names = ", ".join(metric.name for metric in metrics)
        raise InvalidOption(f"expected --direction of one of {names}, got {strangers[0]}")
    return metrics


def write_values(path: Path, dataset: str, pairs: Sequence[Pair], metrics: Sequence[Metric]) -> None:
    """Write a Parquet table with a row for each pair: its ``item``, and a column for each metric with its direction."""
    columns = [
        pa.field(metric.name, pa.float64(), metadata={_DIRECTION: metric.direction.encode()}) for metric in metrics
    ]
    owner = {_DATASET: dataset.encode(), _SHA256: pairs[0].source.sha256.encode()}
    schema = pa.schema([pa.field("item", pa.string()), *columns], metadata=owner)
    pq.write_table(
        pa.table([[pair.item for pair in pairs], *(metric.values for metric in metrics)], schema=schema), path
    )


def has_values(path: Path, source: PictureSource, names: Sequence[str]) -> bool:
    """True where a table holds metrics of these names, of this very set."""
    if not path.exists():
        return False
    schema = pq.read_schema(path)
    return set(names) <= set(schema.names) and (schema.metadata or {}).get(_SHA256) == source.sha256.encode()


def read_values(
    path: Path, dataset: str, pairs: Sequence[Pair], directions: Mapping[str, Direction]
) -> tuple[Metric, ...]:
    """The metrics in a table with a column ``item``, in the order of ``pairs``; others may have added columns.

    Raises:
        InvalidDataset: there is no table, or it is of another set or of one that was made again since, or it lacks one
            of the pairs.
        InvalidOption: the direction of a metric is neither written there, nor given, nor known.
        InvalidAnnotations: a column holds no numbers.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InvalidDataset(f"expected metric values in {path}: {error}") from error
    if "item" not in table.column_names:
        raise InvalidDataset(f"expected a column item in {path}, got {', '.join(table.column_names)}")
    metadata, sha256 = table.schema.metadata or {}, pairs[0].source.sha256
    owner = metadata.get(_DATASET, dataset.encode()).decode()
    if owner != dataset:
        raise InvalidDataset(f"expected metric values of {dataset} in {path}, got those of {owner}")
    measured = metadata.get(_SHA256, sha256.encode()).decode()
    if measured != sha256:
        raise InvalidDataset(
            f"expected metric values of {dataset}, sha256 {sha256[:12]}, in {path}, got those of {measured[:12]}: "
            "remove it to compute them again"
        )
    rows = {item: row for row, item in enumerate(table["item"].to_pylist())}
    missing = [pair.item for pair in pairs if pair.item not in rows]
    if missing:
        raise InvalidDataset(
            f"expected values of all {len(pairs)} reconstructions in {path}, got none of {len(missing)}, such as "
            f"{missing[0]}: remove it to compute them again"
        )
    chosen = table.take([rows[pair.item] for pair in pairs])
    written = {
        column.name: Direction(column.metadata[_DIRECTION].decode())
        for column in table.schema
        if _DIRECTION in (column.metadata or {})
    }
    names = [name for name in table.column_names if name != "item"]
    return tuple(column_metric(name, chosen[name], {**written, **directions}) for name in names)
