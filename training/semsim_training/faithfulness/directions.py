"""The direction of a metric, from its name or from an option, and the metric in a column of a table."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim_training.faithfulness.metric_values import Direction, Metric

KNOWN_DIRECTIONS = {
    **dict.fromkeys(("psnr", "ssim", "leakage"), Direction.UP),
    **dict.fromkeys(("mse", "lpips", "lpips_0_1", "lpips_64", "dreamsim", "semsim", "distance"), Direction.DOWN),
}


def direction_of(metric: str, given: Mapping[str, Direction]) -> Direction | None:
    """The direction of a metric: as given, else as known by its name, else ``None``."""
    return given.get(metric) or KNOWN_DIRECTIONS.get(metric.lower())


def parse_directions(options: Sequence[str]) -> dict[str, Direction]:
    """The direction of each metric that an option ``name=up`` or ``name=down`` names.

    Raises:
        InvalidOption: an option is neither.
    """
    directions = {}
    for option in options:
        name, _, direction = option.partition("=")
        if not name or direction not in set(Direction):
            raise InvalidOption(f"expected --direction NAME=up or NAME=down, got {option}")
        directions[name] = Direction(direction)
    return directions


def column_metric(name: str, column: pa.ChunkedArray, directions: Mapping[str, Direction]) -> Metric:
    """The metric in a column of numbers; an empty cell is NaN.

    Raises:
        InvalidOption: its direction is neither known nor given.
        InvalidAnnotations: a cell is no number.
    """
    direction = direction_of(name, directions)
    if direction is None:
        raise InvalidOption(f"expected --direction {name}=up or {name}=down (higher means more, or less, leakage)")
    try:
        values = column.cast(pa.float64()).to_pylist()
    except pa.ArrowInvalid as error:
        raise InvalidAnnotations(f"expected numbers in the column {name}: {error}") from error
    return Metric(name, direction, np.array(values, dtype=np.float64))
