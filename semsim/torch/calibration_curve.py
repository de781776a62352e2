"""The calibration of an artifact in torch, with a gradient at every distance."""

import torch
from torch import Tensor

from semsim.calibration import Calibration, LogisticCalibration


def leakage_of(distances: Tensor, calibration: Calibration) -> Tensor:
    """The leakages ``(N,)`` in [0, 1] of distances ``(N,)``, as ``calibration`` gives them, in the type of distances.

    An isotonic curve has level steps, and is level beyond its ends. There its gradient would be 0, and a descent would
    stop where nothing says that it has arrived. The gradient there is the slope of the line from the first fitted point
    to the last one instead. Everywhere else, and for a logistic curve, it is the curve's own.
    """
    if isinstance(calibration, LogisticCalibration):
        return torch.sigmoid(-(calibration.slope * distances + calibration.intercept))
    given = distances.double()
    with torch.no_grad():
        x = torch.tensor(calibration.distances, dtype=torch.float64, device=distances.device)
        y = torch.tensor(calibration.leakages, dtype=torch.float64, device=distances.device)
        right = torch.searchsorted(x, given.contiguous(), right=True).clamp(1, len(x) - 1)
        slopes = (y[1:] - y[:-1]) / (x[1:] - x[:-1])
        slope = slopes[right - 1]
        within = given.clamp(x[0], x[-1])
        leakages = y[right - 1] + slope * (within - x[right - 1])
        level = (slope == 0) | (given < x[0]) | (given > x[-1])
        slope = torch.where(level, (y[-1] - y[0]) / (x[-1] - x[0]), slope)
        past = given.detach().clone()
    return (leakages + slope * (given - past)).to(distances.dtype)
