"""The attacker's view: the model that was sent out, and the update that came back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from semsim.exceptions import InvalidUpdate
from semsim_training.client_images.network_inputs import Inputs
from semsim_training.gradients.attackable import trained_names
from semsim_training.gradients.update import Update

BatchNormMode = Literal["eval", "train"]


@dataclass(frozen=True, slots=True, eq=False)
class Victim:
    """A classifier as the server sent it to its clients."""

    model: nn.Module
    inputs: Inputs
    name: str = "a network"
    """A short name for errors and tables: ``resnet20-w64``."""
    trained: bool = False
    """True where the classifier was trained."""


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One client's update, without any reference to the client's images.

    Raises:
        InvalidUpdate: tensors are not the model's or not finite, or labels contradict it.
    """

    victim: Victim
    update: Update
    images: int = 1
    """The number of images that the client computed it on."""
    batchnorm: BatchNormMode = "eval"
    """``eval`` where batch normalisation used its running statistics, ``train`` where it used those of the batch."""
    labels: tuple[int, ...] | None = None
    """The class of each image, where the attacker knows them."""
    rounding: float = 0.0
    """The share of the update's energy that comes from the rounding of the numbers in which it was sent."""

    def __post_init__(self) -> None:
        model = self.victim.model
        parameters = {name: model.get_parameter(name) for name in trained_names(model)}
        _check_names(set(parameters), set(self.update.tensors))
        for name, value in self.update.tensors.items():
            if value.shape != parameters[name].shape:
                raise InvalidUpdate(
                    f"expected {name} of shape {tuple(parameters[name].shape)} in the update, got {tuple(value.shape)}"
                )
            if not torch.isfinite(value).all():
                raise InvalidUpdate(f"expected a finite update, got NaN or infinity in {name}")
        self._check_statistics()
        if self.images < 1:
            raise InvalidUpdate(f"expected at least one image, got {self.images}")
        if self.update.local_training is not None:
            self.update.local_training.check(self.images)
        if self.labels is not None:
            _check_labels(self.labels, self.images, self.victim.inputs.classes)

    @property
    def gradient(self) -> Mapping[str, Tensor] | None:
        """The gradient of the mean loss; ``None`` where the update does not give it."""
        return self.update.gradient(self.images, dict(self.victim.model.named_parameters()))

    @property
    def direction(self) -> Mapping[str, Tensor] | None:
        """A positive multiple of the gradient of the mean loss; ``None`` where the update does not give it."""
        return self.update.direction(self.images, dict(self.victim.model.named_parameters()))

    @property
    def target(self) -> Mapping[str, Tensor]:
        """The tensors that the client's computation, repeated on its images, makes: the gradient, or else the delta."""
        gradient = self.gradient
        return self.update.tensors if gradient is None else gradient

    def _check_statistics(self) -> None:
        sent, expected = self.update.running_statistics, running_statistics(self.victim.model)
        if not sent:
            return
        if self.batchnorm != "train":
            raise InvalidUpdate("expected batch normalisation in training mode of a client that moved its statistics")
        if set(sent) != set(expected):
            raise InvalidUpdate(
                f"expected running statistics of {len(expected)} names, got {len(sent)}: "
                f"first to differ {min(set(sent) ^ set(expected))}"
            )
        for name, value in sent.items():
            if value.shape != expected[name].shape or not torch.isfinite(value).all():
                raise InvalidUpdate(f"expected finite {name} of shape {tuple(expected[name].shape)} in the update")


def batchnorms(model: nn.Module) -> list[tuple[str, _BatchNorm]]:
    """A model's batch normalisations with running statistics by name, in order."""
    layers = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, _BatchNorm)]
    return [(name, layer) for name, layer in layers if layer.running_mean is not None]


def running_statistics(model: nn.Module) -> dict[str, Tensor]:
    """The running means and variances of a model's batch normalisations, by buffer name."""
    names = ("running_mean", "running_var")
    return {f"{prefix}.{name}": layer.get_buffer(name) for prefix, layer in batchnorms(model) for name in names}


def _check_names(expected: set[str], got: set[str]) -> None:
    if expected != got:
        missing, surplus = sorted(expected - got), sorted(got - expected)
        raise InvalidUpdate(
            f"expected an update of the model's {len(expected)} parameters, got {len(got)} tensors: "
            f"missing {', '.join(missing[:3]) or 'none'}, not the model's {', '.join(surplus[:3]) or 'none'}"
        )


def _check_labels(labels: tuple[int, ...], images: int, classes: int) -> None:
    if len(labels) != images:
        raise InvalidUpdate(f"expected one label for each of {images} images, got {len(labels)}")
    wrong = [label for label in labels if not 0 <= label < classes]
    if wrong:
        raise InvalidUpdate(f"expected labels 0..{classes - 1}, got {wrong[0]}")
