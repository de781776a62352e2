"""A client's update: a gradient, or the change of its weights after training on its images."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from types import MappingProxyType
from typing import Literal

from torch import Tensor

from semsim.exceptions import InvalidUpdate

OptimiserName = Literal["sgd", "adam", "adamw"]
_UNCLIPPED = 0.999
"""The share of the norm that a client clips to under which a gradient was certainly not clipped."""


def _are_numbers(values: object, kind: type[Real] | type[Integral]) -> bool:
    return isinstance(values, tuple | list) and all(isinstance(value, kind) for value in values)


@dataclass(frozen=True, slots=True)
class LocalTraining:
    """The training of a client of federated averaging, with ``torch.optim``'s names and defaults.

    Raises:
        InvalidUpdate: an optimiser that is not known, a value of another type or outside its range, or an option of
            another optimiser.
    """

    learning_rate: float
    batch_size: int
    """The number of images of each step; the last step of an epoch takes what is left."""
    epochs: int = 1
    optimiser: OptimiserName = "sgd"
    momentum: float = 0.0
    """The momentum of SGD."""
    nesterov: bool = False
    """True for SGD with Nesterov's momentum."""
    weight_decay: float = 0.0
    """An L2 penalty for SGD and Adam, decoupled for AdamW."""
    betas: tuple[float, float] = (0.9, 0.999)
    """The decays of Adam's and AdamW's moments."""
    epsilon: float = 1e-8
    """The number that Adam and AdamW add to the denominator."""
    clip_norm: float | None = None
    """The L2 norm to which each step's whole gradient is clipped, as ``torch.nn.utils.clip_grad_norm_`` does."""
    schedule: tuple[float, ...] = ()
    """The factor of the learning rate at each step, in order; empty for a constant rate."""
    order: tuple[tuple[int, ...], ...] = ()
    """The indices of the images as each epoch takes them, in order; empty where every epoch keeps the images' order."""

    def __post_init__(self) -> None:
        if self.optimiser not in ("sgd", "adam", "adamw"):
            raise InvalidUpdate(f"expected the optimiser sgd, adam or adamw, got {self.optimiser}")
        self._refuse_other_types()
        if not 0 < self.learning_rate < math.inf or self.batch_size < 1 or self.epochs < 1:
            raise InvalidUpdate(f"expected a positive learning rate, batch size and number of epochs, got {self}")
        if not 0 <= self.momentum < 1 or not 0 <= self.weight_decay < math.inf:
            raise InvalidUpdate(
                f"expected a momentum of 0 to 1 and a weight decay >= 0, got {self.momentum} and {self.weight_decay}"
            )
        if self.optimiser != "sgd" and (self.momentum or self.nesterov):
            raise InvalidUpdate(f"expected no momentum for {self.optimiser}, whose betas say it, got {self.momentum}")
        if self.nesterov and not self.momentum:
            raise InvalidUpdate("expected a momentum for Nesterov's momentum, got none")
        if not all(0 <= beta < 1 for beta in self.betas) or not self.epsilon > 0:
            raise InvalidUpdate(f"expected betas of 0 to 1 and an epsilon > 0, got {self.betas} and {self.epsilon}")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise InvalidUpdate(f"expected a norm > 0 to clip to, got {self.clip_norm}")
        if not all(0 <= factor < math.inf for factor in self.schedule):
            raise InvalidUpdate(f"expected factors >= 0 of the learning rate, got {self.schedule}")

    def _refuse_other_types(self) -> None:
        """Refuse texts for numbers, and numbers for sequences of them."""
        for name in ("batch_size", "epochs"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or isinstance(value, bool):
                raise InvalidUpdate(f"expected a whole number for {name}, got {value!r}")
        for name in ("learning_rate", "momentum", "weight_decay", "epsilon", "clip_norm"):
            value = getattr(self, name)
            if not isinstance(value, Real) and not (name == "clip_norm" and value is None):
                raise InvalidUpdate(f"expected a number for {name}, got {value!r}")
        if not _are_numbers(self.betas, Real) or len(self.betas) != 2:
            raise InvalidUpdate(f"expected two numbers for betas, got {self.betas!r}")
        if not _are_numbers(self.schedule, Real):
            raise InvalidUpdate(f"expected a sequence of numbers for schedule, got {self.schedule!r}")
        if not isinstance(self.order, tuple | list) or not all(_are_numbers(one, Integral) for one in self.order):
            raise InvalidUpdate(f"expected a sequence of whole numbers for each epoch in order, got {self.order!r}")

    def steps(self, images: int) -> int:
        """The number of gradient steps on ``images`` images."""
        return self.epochs * -(-images // self.batch_size)

    def batches(self, images: int) -> list[tuple[int, ...]]:
        """The indices of the images of each step, in order."""
        orders = self.order or (tuple(range(images)),) * self.epochs
        starts = range(0, images, self.batch_size)
        return [order[start : start + self.batch_size] for order in orders for start in starts]

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from zero."""
        return self.learning_rate * (self.schedule[step] if self.schedule else 1.0)

    def reach(self, images: int) -> float:
        """The factor by which SGD's steps together carry the mean gradient: their learning rates, and its momentum."""
        carried, velocity = 0.0, 0.0
        for step in range(self.steps(images)):
            velocity = 1 + self.momentum * velocity
            carried += self.rate(step) * (1 + self.momentum * velocity if self.nesterov else velocity)
        return carried

    def check(self, images: int) -> None:
        """Refuse a schedule or an order that is not of ``images`` images.

        Raises:
            InvalidUpdate: they are of another number of steps, epochs or images.
        """
        steps = self.steps(images)
        if self.schedule and len(self.schedule) != steps:
            raise InvalidUpdate(f"expected a schedule of {steps} steps, got {len(self.schedule)} factors")
        if self.order and len(self.order) != self.epochs:
            raise InvalidUpdate(f"expected an order for each of {self.epochs} epochs, got {len(self.order)}")
        for order in self.order:
            if sorted(order) != list(range(images)):
                raise InvalidUpdate(f"expected each of {images} images once in the order of an epoch, got {order}")


@dataclass(frozen=True, slots=True)
class Update:
    """A client's update, by the victim's parameter names."""

    tensors: Mapping[str, Tensor]
    local_training: LocalTraining | None = None
    """The training behind a weight delta (after minus before); ``None`` where the tensors are the gradient of the mean
    loss."""
    running_statistics: Mapping[str, Tensor] = field(default_factory=dict)
    """The running statistics of batch normalisation after the client's forward passes, by the victim's buffer names.
    Empty where the client does not send them; federated averaging of whole state dicts does."""

    def __post_init__(self) -> None:
        for name in ("tensors", "running_statistics"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def direction(self, images: int, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor] | None:
        """A positive multiple of the gradient of the mean loss over ``images`` images.

        One step of SGD gives it, whatever its momentum, weight decay and clipping: the first step of a momentum is
        plain, Nesterov's is ``1 + momentum`` times as long, and the decay's part follows from the ``weights`` that were
        sent out, by name.

        Returns:
            The tensors, or ``None`` where the update does not give them.
        """
        training = self.local_training
        if training is None:
            return self.tensors
        rate = training.rate(0) if training.steps(images) == 1 else 0.0
        if training.optimiser != "sgd" or not rate:
            return None
        scale = -1 / (rate * (1 + training.momentum if training.nesterov else 1))
        decay = training.weight_decay
        # A parameter that does not move has no gradient, and PyTorch does not let it decay.
        return {
            name: value * scale - decay * weights[name].detach() if decay and value.any() else value * scale
            for name, value in self.tensors.items()
        }

    def gradient(self, images: int, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor] | None:
        """The gradient of the mean loss itself: :meth:`direction`, unless the client clipped it."""
        direction = self.direction(images, weights)
        training = self.local_training
        if direction is None or training is None or training.clip_norm is None:
            return direction
        norm = math.sqrt(sum(float(value.double().square().sum()) for value in direction.values()))
        return direction if norm < _UNCLIPPED * training.clip_norm else None
