"""Metric values of the reconstructions of a set: computed, and kept in a table where that is asked for."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from semsim.exceptions import InvalidDataset, InvalidOption
from semsim.images import RGBImage, decode, resize
from semsim.pixel_metrics import pixel_metrics
from semsim.scorer import Scorer
from training.faithfulness.directions import column_metric
from training.faithfulness.judged import Pair
from training.faithfulness.study import Direction, Floats, Metric
from training.metrics.lpips import InputRange, Lpips

Progress = Callable[[str, int, int], None]
_AT_ONCE = 64
_DIRECTION = b"direction"


def compute_metrics(
    pairs: Sequence[Pair],
    *,
    artifacts: Mapping[str, Path],
    lpips: Path | None = None,
    input_ranges: Sequence[InputRange] = (InputRange.PUBLISHED,),
    progress: Progress = lambda step, done, total: None,
) -> tuple[Metric, ...]:
    """MSE, PSNR, SSIM, LPIPS where its weights are given, and the distance of each artifact, of each pair.

    A reconstruction of another size than its original is resized to it (bicubic), except for artifacts, which have a size
    of their own.

    Raises:
        InvalidOption: an artifact with the name of another metric.
        ImageTooSmall: an image too small for a metric.
        ArtifactError, InvalidCheckpoint: an artifact or weights that cannot be used.
    """
    taken = {"mse", "psnr", "ssim", *InputRange}
    clash = sorted(taken & set(artifacts))
    if clash:
        raise InvalidOption(f"expected --artifact with another name than {', '.join(sorted(taken))}, got {clash[0]}")
    scorers = {name: Scorer(path) for name, path in artifacts.items()}
    networks = [] if lpips is None else [Lpips(lpips, input_range) for input_range in input_ranges]
    originals = [decode(pair.original) for pair in pairs]
    reconstructions = [decode(pair.reconstruction) for pair in pairs]
    pixels = pixel_metrics(originals, reconstructions)
    found = [
        Metric("mse", Direction.DOWN, pixels.mse),
        Metric("psnr", Direction.UP, pixels.psnr),
        Metric("ssim", Direction.UP, pixels.ssim),
    ]
    for network in networks:
        values = _lpips(network, originals, reconstructions, progress)
        found.append(Metric(network.input_range.value, Direction.DOWN, values))
    for name, scorer in scorers.items():
        values = _distances(name, scorer, originals, reconstructions, progress)
        found.append(Metric(name, Direction.DOWN, values))
    return tuple(found)


def _lpips(network: Lpips, originals: list[RGBImage], reconstructions: list[RGBImage], progress: Progress) -> Floats:
    values = np.empty(len(originals))
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for row, original in enumerate(originals):
        by_shape.setdefault(original.shape, []).append(row)
    done = 0
    for (height, width, _), rows in by_shape.items():
        for part in _parts(rows):
            left = np.stack([originals[row] for row in part])
            right = np.stack([resize(reconstructions[row], height, width) for row in part])
            values[part] = network.distances(left, right)
            done += len(part)
            progress(network.input_range.value, done, len(originals))
    return values


def _distances(
    name: str, scorer: Scorer, originals: list[RGBImage], reconstructions: list[RGBImage], progress: Progress
) -> Floats:
    values = np.empty(len(originals))
    # Equal images are embedded once within a part: one original's reconstructions belong together.
    rows = sorted(range(len(originals)), key=lambda row: originals[row].tobytes())
    done = 0
    for part in _parts(rows):
        both = scorer.embed([*(originals[row] for row in part), *(reconstructions[row] for row in part)])
        left, right = np.split(both.astype(np.float64), 2)
        values[part] = np.linalg.norm(left - right, axis=1)
        done += len(part)
        progress(name, done, len(rows))
    return values


def _parts(rows: list[int]) -> list[list[int]]:
    return [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]


def write_values(path: Path, dataset: str, pairs: Sequence[Pair], metrics: Sequence[Metric]) -> None:
    """Write a Parquet table with a row a pair: ``item``, and a column a metric that says its direction. No image."""
    fields = [pa.field("item", pa.string())]
    fields += [pa.field(one.name, pa.float64(), metadata={_DIRECTION: one.direction.encode()}) for one in metrics]
    schema = pa.schema(fields, metadata={b"dataset": dataset.encode()})
    pq.write_table(pa.table([[pair.item for pair in pairs], *(one.values for one in metrics)], schema=schema), path)


def read_values(
    path: Path, dataset: str, pairs: Sequence[Pair], directions: Mapping[str, Direction]
) -> tuple[Metric, ...]:
    """The metrics in a table with a column ``item``, in the order of ``pairs``; others may have added columns.

    Raises:
        InvalidDataset: no such table, of another set, or without one of the pairs.
        InvalidOption: a metric whose direction is neither written there, nor given, nor known.
        InvalidAnnotations: a column that holds no numbers.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InvalidDataset(f"expected metric values in {path}: {error}") from error
    if "item" not in table.column_names:
        raise InvalidDataset(f"expected a column item in {path}, got {', '.join(table.column_names)}")
    of = (table.schema.metadata or {}).get(b"dataset", dataset.encode()).decode()
    if of != dataset:
        raise InvalidDataset(f"expected metric values of {dataset} in {path}, got those of {of}")
    rows = {item: row for row, item in enumerate(table["item"].to_pylist())}
    missing = [pair.item for pair in pairs if pair.item not in rows]
    if missing:
        raise InvalidDataset(
            f"expected values of all {len(pairs)} reconstructions in {path}, got none of {len(missing)}, such as "
            f"{missing[0]}: remove it to compute them again"
        )
    chosen = table.take([rows[pair.item] for pair in pairs])
    written = {
        field.name: Direction(field.metadata[_DIRECTION].decode())
        for field in table.schema
        if _DIRECTION in (field.metadata or {})
    }
    names = [name for name in table.column_names if name != "item"]
    return tuple(column_metric(name, chosen[name], {**written, **directions}) for name in names)
