"""A client's update: a gradient, or the change of its weights after training on its images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from torch import Tensor

from semsim.exceptions import InvalidUpdate


@dataclass(frozen=True, slots=True)
class LocalTraining:
    """The training of a client of federated averaging: plain SGD over its images in order."""

    learning_rate: float
    batch_size: int
    """The number of images of each step; it divides the number that the client holds."""
    epochs: int = 1

    def __post_init__(self) -> None:
        if not self.learning_rate > 0 or self.batch_size < 1 or self.epochs < 1:
            raise InvalidUpdate(f"expected a positive learning rate, batch size and number of epochs, got {self}")

    def steps(self, images: int) -> int:
        """The number of gradient steps on ``images`` images."""
        return self.epochs * (images // self.batch_size)


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

    def gradient(self, images: int) -> Mapping[str, Tensor] | None:
        """The gradient of the mean loss over ``images`` images; ``None`` after several local steps."""
        training = self.local_training
        if training is None:
            return self.tensors
        if training.steps(images) > 1:
            return None
        return {name: value / -training.learning_rate for name, value in self.tensors.items()}
