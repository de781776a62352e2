"""Fits calibrations: from distances to the probability that an annotator recognises the reconstruction."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from semsim.calibration import Calibration, CalibrationDraws, IsotonicCalibration, LogisticCalibration
from semsim.exceptions import InvalidAnnotations
from semsim_training.statistics.bootstrap import resampled
from semsim_training.statistics.intervals import Floats

_FOLDS = 5
_BINS = 10
_KNOTS = 40
_PLACES = 25


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration, and the errors that decided between the two kinds."""

    calibration: Calibration
    brier: dict[str, float]
    """The mean squared error of leakage against recognised share, on held-out originals, by kind of calibration."""
    draws: CalibrationDraws
    """Calibrations of the same kind on other draws of the originals."""


def calibrate(distances: Floats, shares: Floats, groups: NDArray[np.int64]) -> Calibrated:
    """Fit both kinds to distances and recognised shares ``(N,)``; take the one with the lower error on held-out groups.

    ``groups`` ``(N,)`` are the originals: an original is held out with all its reconstructions.

    Raises:
        InvalidAnnotations: too few originals, or distances that do not fall with recognition.
    """
    if len(np.unique(groups)) < _FOLDS:
        raise InvalidAnnotations(f"expected at least {_FOLDS} originals to calibrate on, got {len(np.unique(groups))}")
    errors: dict[str, list[float]] = {"logistic": [], "isotonic": []}
    for fitted, held_out in GroupKFold(_FOLDS).split(distances, groups=groups):
        for kind, fit in (("logistic", fit_logistic), ("isotonic", fit_isotonic)):
            leakage = fit(distances[fitted], shares[fitted]).leakage(distances[held_out])
            errors[kind] += ((leakage - shares[held_out]) ** 2).tolist()
    brier = {kind: float(np.mean(values)) for kind, values in errors.items()}
    best = fit_logistic if brier["logistic"] <= brier["isotonic"] else fit_isotonic
    return Calibrated(
        best(distances, shares),
        {kind: round(value, 6) for kind, value in brier.items()},
        calibration_draws(distances, shares, groups, best),
    )


def calibration_draws(
    distances: Floats,
    shares: Floats,
    groups: NDArray[np.int64],
    fit: Callable[[Floats, Floats], Calibration],
    *,
    draws: int = 100,
    seed: int = 0,
) -> CalibrationDraws:
    """The curves that ``fit`` finds on ``draws`` draws of the originals ``groups`` ``(N,)``, each with all that it has.

    A draw on which no curve can be fitted is made again.

    Raises:
        InvalidAnnotations: hardly any draw can be fitted.
    """
    places = np.unique(np.quantile(distances, np.linspace(0, 1, _PLACES)).round(4))
    _, member = np.unique(groups, return_inverse=True)
    rng, curves = np.random.default_rng(seed), list[tuple[float, ...]]()
    for _ in range(10 * draws):
        rows = np.repeat(np.arange(len(member)), resampled(member.max() + 1, 1, rng)[0][member].astype(int))
        try:
            curve = fit(distances[rows], shares[rows]).leakage(places)
        except InvalidAnnotations:
            continue
        curves.append(tuple(curve.round(4).tolist()))
        if len(curves) == draws:
            return CalibrationDraws(distances=tuple(places.tolist()), leakages=tuple(curves))
    raise InvalidAnnotations(f"expected draws of originals that can be calibrated on, got {len(curves)} of {draws}")


def fit_logistic(distances: Floats, shares: Floats) -> LogisticCalibration:
    """Platt scaling (Platt, 1999) on judgements: a share of 2/3 is two that recognised and one that did not.

    Raises:
        InvalidAnnotations: all or none were recognised, or more at larger distances.
    """
    if not 0 < shares.mean() < 1:
        raise InvalidAnnotations("expected recognised and unrecognised reconstructions to calibrate on, got one kind")
    doubled, outcomes = np.concatenate([distances, distances]), np.repeat([1, 0], len(distances))
    model = LogisticRegression(C=1e6).fit(doubled[:, None], outcomes, np.concatenate([shares, 1 - shares]))
    slope, intercept = -float(model.coef_[0, 0]), -float(model.intercept_[0])
    if slope <= 0:
        raise InvalidAnnotations(
            "expected distances that are smaller where more annotators recognised, got the reverse"
        )
    return LogisticCalibration(slope=slope, intercept=intercept)


def fit_isotonic(distances: Floats, shares: Floats) -> IsotonicCalibration:
    """A falling curve of least squares (Zadrozny and Elkan, 2002), averaged over at most 40 bins of as many distances.

    The least squares alone fall in steps, at which the rounding of a distance would decide. The curve keeps a distance
    of 1 / (N + 2) from 0 and 1: N reconstructions cannot tell that none ever leaks.

    Raises:
        InvalidAnnotations: all distances are equal.
    """
    least, order = 1 / (len(shares) + 2), np.argsort(distances, kind="stable")
    falling = IsotonicRegression(increasing=False).fit(distances, shares).predict(distances)[order]
    edges = np.unique(np.quantile(distances, np.linspace(0, 1, _KNOTS + 1)))
    if len(edges) < 2:
        raise InvalidAnnotations("expected different distances to calibrate on, got one")
    member = np.searchsorted(edges[1:-1], distances[order], side="left")
    knots = [(distances[order][member == one].mean(), falling[member == one].mean()) for one in np.unique(member)]
    # The ends of the curve are those of the least squares.
    xs = np.asarray([edges[0], *(x for x, _ in knots), edges[-1]])
    ys = np.minimum.accumulate(np.clip([falling[0], *(y for _, y in knots), falling[-1]], least, 1 - least))
    rising = np.concatenate([[True], np.diff(xs) > 0])
    return IsotonicCalibration(distances=tuple(xs[rising].tolist()), leakages=tuple(ys[rising].tolist()))


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Reconstructions of similar leakage."""

    leakage: float
    """The mean leakage that was predicted."""
    share: float
    """The mean recognised share."""
    items: int


def reliability(leakage: Floats, shares: Floats) -> tuple[ReliabilityBin, ...]:
    """The bins, ten of equal width in predicted leakage; empty ones are left out."""
    bins = _bins(leakage)
    return tuple(
        ReliabilityBin(float(leakage[bins == b].mean()), float(shares[bins == b].mean()), int((bins == b).sum()))
        for b in np.unique(bins)
    )


def calibration_error(leakage: Floats, shares: Floats, weights: Floats) -> Floats:
    """The expected calibration error (Naeini et al., AAAI 2015) of each draw, ``(R,)``, in ten bins of equal width.

    ``weights`` ``(R, N)`` say how often each draw holds a reconstruction.
    """
    member = (_bins(leakage)[:, None] == np.arange(_BINS)).astype(np.float64)
    gaps: Floats = np.abs((weights * (leakage - shares)) @ member).sum(axis=1) / weights.sum(axis=1)
    return gaps


def _bins(leakage: Floats) -> NDArray[np.int64]:
    return np.minimum((leakage * _BINS).astype(np.int64), _BINS - 1)


@dataclass(frozen=True, slots=True)
class Operating:
    """Precision and recall of a threshold on leakage, against the majority of annotators."""

    threshold: float
    precision: float
    """The share of reconstructions called recognizable that were recognised; NaN where none is called so."""
    recall: float
    """The share of recognised reconstructions that is called recognizable; NaN where none was recognised."""


def operating_point(leakage: Floats, recognised: NDArray[np.bool_], threshold: float) -> Operating:
    """Precision and recall at ``threshold``."""
    called = leakage >= threshold
    hits = int((called & recognised).sum())
    return Operating(
        threshold,
        hits / int(called.sum()) if called.any() else float("nan"),
        hits / int(recognised.sum()) if recognised.any() else float("nan"),
    )


def best_threshold(leakage: Floats, recognised: NDArray[np.bool_]) -> float:
    """The leakage of the greatest F2 (van Rijsbergen, 1979), to two digits.

    F2 is the mean of precision and recall in which recall counts twice: to miss a leak is worse than to see one too
    many.
    """
    candidates = np.linspace(0.01, 0.99, 99).round(2)

    def f2(threshold: float) -> float:
        point = operating_point(leakage, recognised, threshold)
        both = 4 * point.precision + point.recall
        return 5 * point.precision * point.recall / both if both > 0 else 0.0

    return float(max(candidates, key=f2))
