"""Optimisers over many candidates at once, each as if it were alone."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import torch
from torch import Tensor

from semsim_training.attacks.lbfgs import LBFGSState


class Sign(StrEnum):
    """The form in which an optimiser sees the image gradient."""

    NONE = "none"
    HARD = "hard"
    """The sign of the gradient (Geiping et al., 2020)."""
    SOFT = "soft"
    """The tanh of the gradient, bounded to one at first and less so over the run (the breaching framework's modern
    attack)."""


class Stepper(ABC):
    """Moves the rows of ``x`` ``(N, P)`` along their gradients; no row sees another."""

    settled: Tensor | None = None
    """True for the rows ``(N,)`` that a box may move after the last step; ``None`` for all of them."""

    @abstractmethod
    def step(self, x: Tensor, gradient: Tensor, total: Tensor, rate: float) -> Tensor:
        """The next ``x``, from the gradients ``(N, P)`` and the values ``(N,)`` of what is minimised."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """All that :meth:`restore` needs to go on from here."""

    @abstractmethod
    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a state that :meth:`state` gave."""


class _Adam(Stepper):
    """Adam (Kingma and Ba, ICLR 2015) with its usual constants."""

    def __init__(self, x: Tensor) -> None:
        self._first, self._second, self._steps = torch.zeros_like(x), torch.zeros_like(x), 0

    def step(self, x: Tensor, gradient: Tensor, total: Tensor, rate: float) -> Tensor:
        """The next ``x``."""
        self._steps += 1
        self._first.lerp_(gradient, 0.1)
        self._second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        deviation = self._second.sqrt().div_((1 - 0.999**self._steps) ** 0.5).add_(1e-8)
        return x.addcdiv(self._first, deviation, value=-rate / (1 - 0.9**self._steps))

    def state(self) -> dict[str, Tensor]:
        """The moments and the number of steps."""
        return {"first": self._first, "second": self._second, "steps": torch.tensor(self._steps)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a state that :meth:`state` gave."""
        self._first, self._second, self._steps = state["first"], state["second"], int(state["steps"])


class _SGD(Stepper):
    """SGD with Nesterov momentum 0.9, as in the reference attacks' code."""

    def __init__(self, x: Tensor) -> None:
        self._momentum = torch.zeros_like(x)

    def step(self, x: Tensor, gradient: Tensor, total: Tensor, rate: float) -> Tensor:
        """The next ``x``."""
        self._momentum.mul_(0.9).add_(gradient)
        return x - rate * (gradient + 0.9 * self._momentum)

    def state(self) -> dict[str, Tensor]:
        """The momentum."""
        return {"momentum": self._momentum}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a state that :meth:`state` gave."""
        self._momentum = state["momentum"]


class _LBFGS(Stepper):
    """L-BFGS without a line search, as PyTorch has it."""

    def __init__(self, x: Tensor, length: int | None) -> None:
        self._state, self._length = LBFGSState.empty(x), length

    def step(self, x: Tensor, gradient: Tensor, total: Tensor, rate: float) -> Tensor:
        """The next ``x``."""
        step, self.settled = self._state.advance(gradient, total, rate, self._length)
        return x + step

    def state(self) -> dict[str, Tensor]:
        """The history."""
        return self._state.tensors()

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a state that :meth:`state` gave."""
        self._state = LBFGSState.of(state)


@dataclass(frozen=True, slots=True)
class Optimiser:
    """An optimiser's kind, its first step size, and the form in which it sees gradients."""

    kind: Literal["adam", "sgd", "l-bfgs"]
    rate: float
    sign: Sign = Sign.NONE
    inner: int | None = None
    """The most iterations of L-BFGS in one round; a box acts between rounds only. ``None`` for a single round."""

    def start(self, x: Tensor) -> Stepper:
        """A stepper for the rows of ``x`` ``(N, P)``."""
        match self.kind:
            case "adam":
                return _Adam(x)
            case "sgd":
                return _SGD(x)
            case _:
                return _LBFGS(x, self.inner)

    def seen(self, gradient: Tensor, progress: float) -> Tensor:
        """The gradient ``(N, P)`` as the optimiser sees it; ``progress`` runs from 0 to just below 1."""
        match self.sign:
            case Sign.HARD:
                return gradient.sign()
            case Sign.SOFT:
                scale = 1 - progress
                return torch.tanh(gradient * scale) / scale
            case Sign.NONE:
                return gradient
