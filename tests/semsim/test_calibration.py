"""Calibrations: probabilities that fall with distance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from semsim.calibration import CalibrationDraws, IsotonicCalibration, LogisticCalibration

DISTANCES = arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1e6))


@given(DISTANCES, st.floats(0.01, 100), st.floats(-100, 100))
def test_logistic_leakage_falls_from_distance_zero(distances: np.ndarray, slope: float, intercept: float) -> None:
    """Logistic leakage is a probability and never rises with distance."""
    leakage = LogisticCalibration(slope=slope, intercept=intercept).leakage(np.sort(distances))
    assert ((leakage >= 0) & (leakage <= 1)).all()
    assert (np.diff(leakage) <= 0).all()


def test_logistic_leakage_by_hand() -> None:
    """1 / (1 + exp(2 d - 1)) at d = 0.5 is one half."""
    assert LogisticCalibration(slope=2, intercept=-1).leakage(np.array([0.5]))[0] == 0.5


@given(DISTANCES)
def test_isotonic_leakage_falls_and_is_flat_outside(distances: np.ndarray) -> None:
    """Isotonic leakage interpolates, falls, and keeps its ends outside the fitted range."""
    calibration = IsotonicCalibration(distances=(1.0, 2.0, 4.0), leakages=(0.9, 0.5, 0.1))
    leakage = calibration.leakage(np.sort(distances))
    assert (np.diff(leakage) <= 0).all()
    np.testing.assert_allclose(calibration.leakage(np.array([0.0, 1.5, 3.0, 9.0])), [0.9, 0.7, 0.3, 0.1], atol=1e-12)


def test_the_range_is_that_of_the_middle_draws() -> None:
    """The ends of 90% of 21 parallel curves are the second and the last but one; outside the places they are flat."""
    curves = tuple((0.9 - 0.02 * draw, 0.5 - 0.02 * draw) for draw in range(21))
    draws = CalibrationDraws(distances=(1.0, 2.0), leakages=curves)
    low, high = draws.leakage_range(np.array([0.0, 1.0, 1.5, 2.0, 9.0]))
    np.testing.assert_allclose(low, [0.52, 0.52, 0.32, 0.12, 0.12], atol=1e-9)
    np.testing.assert_allclose(high, [0.88, 0.88, 0.68, 0.48, 0.48], atol=1e-9)


def test_draws_that_are_no_curves_are_refused() -> None:
    """Places must rise, and each draw has a leakage for each of them."""
    with pytest.raises(ValueError, match="expected strictly rising distances"):
        CalibrationDraws(distances=(2.0, 1.0), leakages=((0.5, 0.4),) * 20)
    with pytest.raises(ValueError, match="expected 2 leakages in each draw"):
        CalibrationDraws(distances=(1.0, 2.0), leakages=((0.5,),) * 20)


def test_draws_are_equal_after_one_of_them_was_asked() -> None:
    """A client compares the manifest of a service with its own, before and after it has scored."""
    first, second = (CalibrationDraws(distances=(1.0, 2.0), leakages=((0.5, 0.4),) * 20) for _ in range(2))
    first.leakage_range(np.array([1.0]))
    assert first == second
    second.leakage_range(np.array([1.0]))
    assert first == second
