"""Intervals of shares, and percentiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semsim_training.statistics.intervals import Rate, percentiles, wilson


def test_wilson_agrees_with_scipy() -> None:
    """The intervals of shares from none to all are SciPy's."""
    stats = pytest.importorskip("scipy.stats")
    for count, of in ((0, 5), (1, 7), (50, 100), (99, 100), (5, 5)):
        expected = stats.binomtest(count, of).proportion_ci(method="wilson")
        interval = wilson(count, of)
        assert interval is not None
        assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(st.lists(st.booleans(), max_size=40))
def test_a_rate_lies_in_its_interval(outcomes: list[bool]) -> None:
    """Rate and interval lie within 0..1; where there is nothing to count there is neither."""
    rate = Rate.of_outcomes(outcomes)
    if not outcomes:
        assert rate == Rate(0, 0, None, None)
    else:
        assert rate.interval is not None
        assert rate.value is not None
        assert 0 <= rate.interval.low <= rate.value + 1e-12
        assert rate.value - 1e-12 <= rate.interval.high <= 1


def test_percentiles_pass_over_what_is_not_finite() -> None:
    """Draws that are not defined or infinite do not count; where none is finite there is no interval."""
    interval = percentiles(np.append(np.arange(81.0), [np.nan, np.inf]))
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((2, 78))
    assert percentiles(np.array([np.nan, np.nan])) is None
