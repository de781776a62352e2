"""Calibrations, from distance to leakage: the probability that an annotator recognises the reconstruction.

Training fits a calibration to judgements, and the artifact carries it. An artifact without one gives no leakage.
"""

from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

_Finite = Annotated[float, Field(allow_inf_nan=False)]


class LogisticCalibration(BaseModel):
    """The logistic curve ``leakage = 1 / (1 + exp(slope * distance + intercept))`` (Platt, 1999), which falls."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["logistic"] = "logistic"
    slope: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    intercept: _Finite

    def leakage(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities ``(N,)`` in [0, 1] of distances ``(N,)``."""
        logits = np.clip(self.slope * distances + self.intercept, -700.0, 700.0)
        return 1.0 / (1.0 + np.exp(logits))


class IsotonicCalibration(BaseModel):
    """A falling curve, linear between fitted points (Zadrozny and Elkan, 2002)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["isotonic"] = "isotonic"
    distances: tuple[_Finite, ...] = Field(min_length=2)
    leakages: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _monotone(self) -> Self:
        if len(self.distances) != len(self.leakages):
            raise ValueError(f"expected as many leakages as distances, got {len(self.leakages)}, {len(self.distances)}")
        if any(right <= left for left, right in pairwise(self.distances)):
            raise ValueError("expected strictly rising distances")
        if any(right > left for left, right in pairwise(self.leakages)):
            raise ValueError("expected leakages that never rise with distance")
        return self

    def leakage(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities ``(N,)`` in [0, 1] of distances ``(N,)``; outside the fitted points those of the ends."""
        return np.interp(distances, self.distances, self.leakages)


class CalibrationDraws(BaseModel):
    """The curves that other draws of the calibration's originals gave: how far the curve hangs on which were drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    distances: tuple[_Finite, ...] = Field(min_length=2)
    """The K places at which every curve is given; between them it is linear."""
    leakages: tuple[tuple[Annotated[float, Field(ge=0, le=1)], ...], ...] = Field(min_length=20)
    """The leakages ``(R, K)`` of R draws (bootstrap; Efron and Tibshirani, 1993)."""

    @model_validator(mode="after")
    def _curves(self) -> Self:
        if any(right <= left for left, right in pairwise(self.distances)):
            raise ValueError("expected strictly rising distances")
        if any(len(curve) != len(self.distances) for curve in self.leakages):
            raise ValueError(f"expected {len(self.distances)} leakages in each draw, one for each distance")
        return self

    def leakage_range(self, distances: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The least and the largest leakages ``(N,)`` that the middle 90% of the draws give distances ``(N,)``."""
        low, high = self._ends
        return np.interp(distances, self.distances, low), np.interp(distances, self.distances, high)

    @cached_property
    def _ends(self) -> tuple[tuple[float, ...], ...]:
        """The ends of the middle 90% of the draws at each place, ``(2, K)``; pydantic could compare no array."""
        return tuple(map(tuple, np.quantile(np.asarray(self.leakages), (0.05, 0.95), axis=0).tolist()))


Calibration = Annotated[LogisticCalibration | IsotonicCalibration, Field(discriminator="kind")]
