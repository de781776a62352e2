"""Percentiles, medians, and how two runs compare."""

import math

import pytest

from benchmarks.serving.cells import Run, middle, percentile


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([3.0], 0.99, 3.0), ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0), ([float(i) for i in range(1, 101)], 0.99, 99.0)],
)
def test_percentiles_are_values_that_were_seen(values: list[float], share: float, expected: float) -> None:
    """The nearest rank, whatever the order."""
    assert percentile(values, share) == expected


def test_no_values_have_no_percentile() -> None:
    """NaN, not an error: a loop has no requests."""
    assert math.isnan(percentile([], 0.5))


def test_medians_are_taken_figure_by_figure() -> None:
    """The middle run need not be one of the runs."""
    runs = [Run(1, 9, 5, 2, 7, 0), Run(2, 8, 6, 1, 9, 0), Run(3, 7, 4, 3, 8, 0)]
    assert middle(runs) == Run(2, 8, 5, 2, 8, 0)
