"""The difference between a path's derivatives and those of plain autograd."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The differences of two clients' derivatives, each the larger of both and relative to autograd's value."""

    by_parameter: Mapping[str, float]
    """The difference of each parameter's gradient."""
    by_images: float
    """The difference of the image gradient of a random linear function of the gradients."""
    tolerance: float

    @property
    def largest(self) -> float:
        """The largest of all."""
        return max(self.by_images, *self.by_parameter.values())

    @property
    def wrong(self) -> frozenset[str]:
        """The parameters whose gradients differ by more than the tolerance, or are NaN."""
        return frozenset(name for name, value in self.by_parameter.items() if not value <= self.tolerance)

    @property
    def agrees(self) -> bool:
        """True where no difference is above the tolerance."""
        return not self.wrong and self.by_images <= self.tolerance


def norms(value: Tensor) -> Tensor:
    """The norm of each client's part of ``(N, ...)``, ``(N,)``."""
    by_client: Tensor = torch.linalg.vector_norm(value.reshape(len(value), -1), dim=1)
    return by_client


def total_norm(gradients: Mapping[str, Tensor]) -> Tensor:
    """The norm of each client's whole gradient, ``(N,)``."""
    total: Tensor = torch.linalg.vector_norm(torch.stack([norms(value) for value in gradients.values()]), dim=0)
    return total


def relative(value: Tensor, expected: Tensor, floor: Tensor) -> float:
    """The largest over clients of the difference's norm by the norm of ``expected``, or by ``floor`` ``(N,)``."""
    difference = norms(value - expected.reshape(value.shape)) / norms(expected).maximum(floor).clamp_min(1e-300)
    return float(difference.nan_to_num(nan=torch.inf).max())
