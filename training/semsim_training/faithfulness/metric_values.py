"""The values of a metric, and the meaning of a higher one."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from semsim.exceptions import InvalidDataset
from semsim_training.judged.judged_set import Mask
from semsim_training.statistics.intervals import Floats


class Direction(StrEnum):
    """The meaning of a higher value of a metric."""

    UP = "up"
    """A higher value means more leakage."""
    DOWN = "down"
    """A higher value means less leakage."""

    @property
    def sign(self) -> float:
        """The factor that turns values so that higher means more leakage."""
        return 1.0 if self is Direction.UP else -1.0


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """A metric's value of each of N items."""

    name: str
    direction: Direction
    values: Floats
    """``(N,)``, in the metric's own unit; infinite ones are allowed, NaN is not."""

    @property
    def leakage(self) -> Floats:
        """The values turned so that higher means more leakage, ``(N,)``."""
        return self.direction.sign * self.values

    @property
    def infinite(self) -> int:
        """The number of infinite values, such as the PSNR of an exact copy."""
        return int(np.isinf(self.values).sum())

    @property
    def finite(self) -> Floats:
        """The values for means and Pearson: an infinite one counts as the most extreme finite one of its sign.

        Raises:
            InvalidDataset: no value is finite.
        """
        finite = self.values[np.isfinite(self.values)]
        if not finite.size:
            raise InvalidDataset(f"expected finite values of {self.name}, got none")
        return np.clip(self.values, finite.min(), finite.max())

    def take(self, chosen: Mask) -> "Metric":
        """The metric of the items where ``chosen`` ``(N,)`` is true."""
        return Metric(self.name, self.direction, self.values[chosen])
