"""Calibrations: from distance to leakage."""

import numpy as np
import pytest

from semsim.calibration import LogisticCalibration
from semsim.exceptions import InvalidAnnotations
from semsim_training.metric.calibration_fit import (
    best_threshold,
    calibrate,
    calibration_error,
    fit_isotonic,
    fit_logistic,
    operating_point,
    reliability,
)

RNG = np.random.default_rng(0)
DISTANCES = RNG.uniform(0, 2, 3000)
TRUE = LogisticCalibration(slope=5.0, intercept=-4.0)
SHARES = RNG.binomial(5, TRUE.leakage(DISTANCES)) / 5
GROUPS = np.arange(3000) % 60


def test_logistic_finds_the_curve_that_made_the_judgements() -> None:
    """Slope and intercept come back, from shares of five annotators."""
    fitted = fit_logistic(DISTANCES, SHARES)
    assert fitted.slope == pytest.approx(5.0, rel=0.05)
    assert fitted.intercept == pytest.approx(-4.0, rel=0.05)


def test_isotonic_follows_a_step_that_logistic_cannot() -> None:
    """The kind of calibration with the lower error on held-out originals is taken."""
    stairs = np.where(DISTANCES < 0.3, 0.9, np.where(DISTANCES < 1.7, 0.5, 0.05))
    shares = np.random.default_rng(1).binomial(5, stairs) / 5
    chosen = calibrate(DISTANCES, shares, GROUPS)
    assert chosen.calibration.kind == "isotonic"
    assert chosen.brier["isotonic"] < chosen.brier["logistic"]
    assert calibrate(DISTANCES, SHARES, GROUPS).calibration.kind == "logistic"
    assert len(fit_isotonic(DISTANCES, SHARES).distances) <= 42


def test_draws_of_originals_say_how_sure_the_curve_is() -> None:
    """The range holds the curve, and is wider where originals differ than where they are alike."""
    calibrated = calibrate(DISTANCES, SHARES, GROUPS)
    places = np.linspace(0.1, 1.9, 10)
    low, high = calibrated.draws.leakage_range(places)
    leakage = calibrated.calibration.leakage(places)
    assert (low <= leakage + 0.01).all()
    assert (leakage <= high + 0.01).all()
    easier = np.random.default_rng(3).normal(0, 0.4, 60)[GROUPS]
    other = calibrate(DISTANCES, np.clip(SHARES + easier, 0, 1), GROUPS)
    wide_low, wide_high = other.draws.leakage_range(places)
    assert (wide_high - wide_low).mean() > 2 * (high - low).mean()


def test_isotonic_has_no_cliffs() -> None:
    """Where the least squares fall in steps, a millionth of distance changes the leakage by a thousandth at most."""
    stairs = np.where(DISTANCES < 0.7, 0.9, np.where(DISTANCES < 1.3, 0.5, 0.1))
    fitted = fit_isotonic(DISTANCES, stairs)
    places = np.linspace(0, 2, 20_001)
    assert np.abs(fitted.leakage(places + 1e-6) - fitted.leakage(places)).max() < 1e-3
    np.testing.assert_allclose(fitted.leakage(np.array([0.3, 1.0, 1.8])), [0.9, 0.5, 0.1], atol=0.02)


def test_isotonic_is_never_certain() -> None:
    """Ten that were all recognised and ten that were not give 1/22 and 21/22, not 0 and 1."""
    fitted = fit_isotonic(np.arange(20.0), np.repeat([1.0, 0.0], 10))
    assert fitted.leakage(np.array([0.0, 19.0])) == pytest.approx([21 / 22, 1 / 22])


def test_the_error_of_a_true_calibration_is_small_and_of_a_wrong_one_known() -> None:
    """A leakage that is always .2 too high is .2 off; each draw is measured with its weights."""
    true = TRUE.leakage(DISTANCES)
    once = np.ones((1, 3000))
    assert float(calibration_error(true, SHARES, once)[0]) < 0.02
    shifted = calibration_error(np.clip(true + 0.2, 0, 1) * (true < 0.7), SHARES * (true < 0.7), once)
    assert float(shifted[0]) == pytest.approx(0.2 * (true < 0.7).mean(), abs=0.02)
    weights = np.random.default_rng(2).integers(0, 3, (4, 3000)).astype(float)
    repeated = np.repeat(true, weights[0].astype(int)), np.repeat(SHARES, weights[0].astype(int))
    alone = calibration_error(*repeated, np.ones((1, len(repeated[0]))))
    assert calibration_error(true, SHARES, weights)[0] == pytest.approx(alone[0])
    assert sum(one.items for one in reliability(true, SHARES)) == 3000


def test_thresholds_give_the_precision_and_recall_they_state() -> None:
    """Precision and recall of four reconstructions are those counted by hand."""
    leakage, recognised = np.array([0.9, 0.6, 0.4, 0.1]), np.array([True, False, True, False])
    point = operating_point(leakage, recognised, 0.5)
    assert (point.precision, point.recall) == (0.5, 0.5)
    assert 0.1 < best_threshold(leakage, recognised) <= 0.4
    assert np.isnan(operating_point(leakage, recognised, 0.95).precision)


def test_what_cannot_be_calibrated_is_refused() -> None:
    """The error names what came: one kind, distances the wrong way round, too few originals, or one distance."""
    with pytest.raises(InvalidAnnotations, match="got one kind"):
        fit_logistic(DISTANCES, np.ones(3000))
    with pytest.raises(InvalidAnnotations, match="got the reverse"):
        fit_logistic(-DISTANCES, SHARES)
    with pytest.raises(InvalidAnnotations, match="at least 5 originals to calibrate on, got 2"):
        calibrate(DISTANCES, SHARES, GROUPS % 2)
    with pytest.raises(InvalidAnnotations, match="expected different distances"):
        fit_isotonic(np.ones(4), np.array([0.0, 1.0, 0.5, 0.2]))
