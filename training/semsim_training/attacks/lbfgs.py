"""Limited-memory BFGS (Liu and Nocedal, 1989) for many independent problems at once."""

from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor

HISTORY = 100
"""The number of past steps that are remembered."""
_NO_CHANGE = 1e-9
"""The ``tolerance_change`` of ``torch.optim.LBFGS``: the least slope, move and change of the objective."""
_NO_GRADIENT = 1e-7
"""The ``tolerance_grad`` of ``torch.optim.LBFGS``: the least largest entry of a gradient."""


@dataclass(slots=True)
class LBFGSState:
    """The history of N problems of P unknowns, kept as ``torch.optim.LBFGS`` does without a line search."""

    previous_gradient: Tensor
    """The last gradient, ``(N, P)``."""
    step_taken: Tensor
    """The last step, ``(N, P)``; zero before the first."""
    scale: Tensor
    """The scale of the initial inverse Hessian, ``(N,)``."""
    previous_total: Tensor
    """The objective where the last step began, ``(N,)``."""
    inner: Tensor
    """The number of iterations since a problem's round began, ``(N,)``."""
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
        rows = x.new_zeros(len(x))
        return cls(torch.zeros_like(x), torch.zeros_like(x), torch.ones_like(rows), rows, rows.long())

    def advance(self, gradient: Tensor, total: Tensor, rate: float, length: int | None) -> tuple[Tensor, Tensor]:
        """The next steps ``(N, P)`` from gradients ``(N, P)`` and objectives ``(N,)``, and whose round ends with it.

        A round is one call of ``torch.optim.LBFGS.step``: up to ``length`` iterations, fewer where one changes nothing.
        Without a ``length`` there is one round. A problem stays where it is, as there, when the direction leads
        downwards no more.
        """
        unchanged = (total - self.previous_total).abs() < _NO_CHANGE
        unchanged |= self.step_taken.abs().amax(dim=1) <= _NO_CHANGE
        # PyTorch looks at the new place before the round ends, and takes its next direction in the next round.
        resting = (self.inner > 0) & unchanged if length is not None else torch.zeros_like(unchanged)
        if self.iterations:
            self._remember(gradient, resting)
        direction = self._direction(gradient)
        slope = (gradient * direction).sum(dim=1)
        if not self.iterations:
            direction = direction * (1 / gradient.abs().sum(dim=1, keepdim=True).clamp_min(1e-30)).clamp_max(1.0)
        self.iterations += 1
        self.inner = torch.where(resting, 0, self.inner + 1)
        kept = resting[:, None]
        self.previous_total = torch.where(resting, self.previous_total, total)
        self.previous_gradient = torch.where(kept, self.previous_gradient, gradient)
        self.step_taken = torch.where(kept, self.step_taken, rate * direction)
        still = resting | (slope > -_NO_CHANGE) | (gradient.abs().amax(dim=1) <= _NO_GRADIENT)
        ended = still | (self.inner == length) if length is not None else still
        self.inner = torch.where(ended, 0, self.inner)
        return torch.where(still[:, None], 0.0, self.step_taken), ended

    def tensors(self) -> dict[str, Tensor]:
        """The history as named tensors."""
        tensors = {
            "previous_gradient": self.previous_gradient,
            "step_taken": self.step_taken,
            "scale": self.scale,
            "previous_total": self.previous_total,
            "inner": self.inner,
            "iterations": torch.tensor(self.iterations),
        }
        for name, values in self._lists():
            tensors |= {f"{name}.{index:03}": value for index, value in enumerate(values)}
        return tensors

    @classmethod
    def of(cls, tensors: dict[str, Tensor]) -> Self:
        """The history that :meth:`tensors` gave."""
        state = cls(
            tensors["previous_gradient"],
            tensors["step_taken"],
            tensors["scale"],
            tensors["previous_total"],
            tensors["inner"],
            int(tensors["iterations"]),
        )
        for name, values in state._lists():
            values += [tensors[key] for key in sorted(tensors) if key.startswith(f"{name}.")]
        return state

    def _lists(self) -> list[tuple[str, list[Tensor]]]:
        return [("steps", self.steps), ("changes", self.changes), ("inverse_curvatures", self.inverse_curvatures)]

    def _remember(self, gradient: Tensor, resting: Tensor) -> None:
        change = gradient - self.previous_gradient
        curvature = (change * self.step_taken).sum(dim=1)
        positive = (curvature > 1e-10) & ~resting
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
