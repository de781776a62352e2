"""One run of a layer whose weights all clients share, as the layers that are known here leave it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from semsim_training.gradients.terms import GradientTerm


@dataclass(frozen=True, slots=True)
class LayerRun:
    """A run's output, and the way from the loss's gradients to those of the layer's parameters."""

    output: Tensor
    by: tuple[Tensor, ...]
    """The output or tensors in its place, by which the loss's gradients are taken."""
    terms: Callable[..., Mapping[str, GradientTerm]]
    """Makes each client's gradients, by the parameters' names in the layer, of the loss's gradients by ``by``."""


SharedLayer = Callable[[Tensor, int], LayerRun]
"""Runs a layer on images of all clients; the number is that of the images of each client."""
