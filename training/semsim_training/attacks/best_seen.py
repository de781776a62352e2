"""The best candidates that a search has come by, which need not be its last ones."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(slots=True)
class BestSeen:
    """For each row the unknowns with the least total, objective and priors, of all that were evaluated."""

    x: Tensor
    """The unknowns, ``(N, P)``."""
    total: Tensor
    """Their totals, ``(N,)``; infinite where none was finite."""

    @classmethod
    def none(cls, x: Tensor) -> Self:
        """Nothing seen yet, for a search that starts at ``x`` ``(N, P)``."""
        return cls(x, x.new_full((len(x),), torch.inf))

    def see(self, x: Tensor, total: Tensor) -> None:
        """Keep the rows of ``x`` ``(N, P)`` whose ``total`` ``(N,)`` is less than any before; NaN never is."""
        less = total < self.total
        self.x = torch.where(less[:, None], x, self.x)
        self.total = torch.where(less, total, self.total)

    def to(self, device: torch.device) -> Self:
        """The same on a device."""
        return type(self)(self.x.to(device), self.total.to(device))
