"""Intervals of shares and bootstrap draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semsim_training.statistics.intervals import Rate, percentiles, resampled, wilson


def test_wilson_agrees_with_scipy() -> None:
    """On shares from none to all."""
    stats = pytest.importorskip("scipy.stats")
    for count, of in ((0, 5), (1, 7), (50, 100), (99, 100), (5, 5)):
        expected = stats.binomtest(count, of).proportion_ci(method="wilson")
        found = wilson(count, of)
        assert found is not None
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(st.lists(st.booleans(), max_size=40))
def test_a_rate_lies_in_its_interval(outcomes: list[bool]) -> None:
    """Within 0..1; of nothing there is neither."""
    rate = Rate.of_outcomes(outcomes)
    if not outcomes:
        assert rate == Rate(0, 0, None, None)
    else:
        assert rate.interval is not None
        assert rate.value is not None
        assert 0 <= rate.interval.low <= rate.value + 1e-12
        assert rate.value - 1e-12 <= rate.interval.high <= 1


def test_draws_hold_as_many_groups_as_there_are() -> None:
    """The same for the same seed."""
    drawn = resampled(7, 50, seed=1)
    assert drawn.shape == (50, 7)
    assert (drawn.sum(axis=1) == 7).all()
    np.testing.assert_array_equal(drawn, resampled(7, 50, seed=1))
    assert (drawn != resampled(7, 50, seed=2)).any()


def test_percentiles_pass_over_what_is_no_number() -> None:
    """Unless no draw is one."""
    found = percentiles(np.append(np.arange(81.0), np.nan))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((2, 78))
    assert percentiles(np.array([np.nan, np.nan])) is None
