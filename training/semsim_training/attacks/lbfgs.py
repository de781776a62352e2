"""Limited-memory BFGS (Liu and Nocedal, 1989) for many independent problems at once."""

from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor

HISTORY = 100
"""The number of past steps that are remembered."""


@dataclass(slots=True)
class LBFGSState:
    """The history of N problems of P unknowns, kept as ``torch.optim.LBFGS`` does without a line search."""

    previous_gradient: Tensor
    """The last gradient, ``(N, P)``."""
    step_taken: Tensor
    """The last step, ``(N, P)``; zero before the first."""
    scale: Tensor
    """The scale of the initial inverse Hessian, ``(N,)``."""
    iterations: int = 0
    steps: list[Tensor] = field(default_factory=list)
    """The remembered steps, each ``(N, P)``."""
    changes: list[Tensor] = field(default_factory=list)
    """The change of the gradient over each remembered step, ``(N, P)``."""
    inverse_curvatures: list[Tensor] = field(default_factory=list)
    """One over the curvature along each remembered step, ``(N,)``; zero, which leaves the step out, where the curvature
    was not positive."""

    @classmethod
    def empty(cls, x: Tensor) -> Self:
        """No history, for unknowns ``x`` ``(N, P)``."""
        return cls(torch.zeros_like(x), torch.zeros_like(x), x.new_ones(len(x)))

    def advance(self, gradient: Tensor, rate: float) -> Tensor:
        """The next step ``(N, P)`` from gradients ``(N, P)``."""
        if self.iterations:
            self._remember(gradient)
        direction = self._direction(gradient)
        if not self.iterations:
            direction = direction * (1 / gradient.abs().sum(dim=1, keepdim=True).clamp_min(1e-30)).clamp_max(1.0)
        self.iterations += 1
        self.previous_gradient, self.step_taken = gradient, rate * direction
        return self.step_taken

    def tensors(self) -> dict[str, Tensor]:
        """The history as named tensors."""
        tensors = {
            "previous_gradient": self.previous_gradient,
            "step_taken": self.step_taken,
            "scale": self.scale,
            "iterations": torch.tensor(self.iterations),
        }
        for name, values in self._lists():
            tensors |= {f"{name}.{index:03}": value for index, value in enumerate(values)}
        return tensors

    @classmethod
    def of(cls, tensors: dict[str, Tensor]) -> Self:
        """The history that :meth:`tensors` gave."""
        state = cls(tensors["previous_gradient"], tensors["step_taken"], tensors["scale"], int(tensors["iterations"]))
        for name, values in state._lists():
            values += [tensors[key] for key in sorted(tensors) if key.startswith(f"{name}.")]
        return state

    def _lists(self) -> list[tuple[str, list[Tensor]]]:
        return [("steps", self.steps), ("changes", self.changes), ("inverse_curvatures", self.inverse_curvatures)]

    def _remember(self, gradient: Tensor) -> None:
        change = gradient - self.previous_gradient
        curvature = (change * self.step_taken).sum(dim=1)
        positive = curvature > 1e-10
        self.scale = torch.where(positive, curvature / change.square().sum(dim=1).clamp_min(1e-30), self.scale)
        if len(self.steps) == HISTORY:
            for _, values in self._lists():
                values.pop(0)
        self.steps.append(self.step_taken)
        self.changes.append(change)
        self.inverse_curvatures.append(torch.where(positive, 1 / curvature.clamp_min(1e-10), 0.0))

    def _direction(self, gradient: Tensor) -> Tensor:
        """The two-loop recursion, ``(N, P)``."""
        entries = list(zip(self.steps, self.changes, self.inverse_curvatures, strict=True))
        direction, shares = -gradient, []
        for step, change, inverse in reversed(entries):
            share = inverse * (step * direction).sum(dim=1)
            direction = torch.addcmul(direction, change, -share[:, None])
            shares.append(share)
        direction = direction * self.scale[:, None]
        for (step, change, inverse), share in zip(entries, reversed(shares), strict=True):
            correction = share - inverse * (change * direction).sum(dim=1)
            direction = torch.addcmul(direction, step, correction[:, None])
        return direction
