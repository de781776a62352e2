"""A network whose distances are calibrated."""

from dataclasses import dataclass
from typing import Self

from semsim.calibration import Calibration, CalibrationDraws
from semsim_training.embedding import EmbeddingNetwork
from semsim_training.judged.sized_set import SizedSet
from semsim_training.metric.calibration_fit import best_threshold, calibrate
from semsim_training.metric.embedding_distances import measure


@dataclass(frozen=True, slots=True, eq=False)
class CalibratedNetwork:
    """A network, and the leakage that its distances mean."""

    network: EmbeddingNetwork
    calibration: Calibration
    threshold: float
    """The leakage from which a reconstruction is called recognizable."""
    brier: dict[str, float]
    """The Brier score of each kind of calibration, on held-out originals of validation."""
    draws: CalibrationDraws
    """The calibrations of other draws of the originals of validation."""

    @classmethod
    def fit(cls, network: EmbeddingNetwork, validation: SizedSet) -> Self:
        """Calibrate a network on validation.

        Raises:
            InvalidAnnotations: too few originals, or distances that do not fall with recognition.
        """
        distances = measure(network, validation)
        fitted = calibrate(distances, validation.judged.shares, validation.original_of)
        threshold = best_threshold(fitted.calibration.leakage(distances), validation.judged.majority)
        return cls(network, fitted.calibration, threshold, fitted.brier, fitted.draws)
