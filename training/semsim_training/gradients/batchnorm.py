"""Batch normalisation of many clients at once: no client's images touch another's statistics."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from semsim_training.gradients.affine import affine


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """The statistics of one layer's activations over images and positions; ``(N, C)`` for N clients."""

    mean: Tensor
    variance: Tensor
    """The biased variance, by which batch normalisation divides."""


class ClientBatchNorm(nn.BatchNorm2d):
    """Batch normalisation as each client computes it, on images of many clients, ``(N * images, C, H, W)``.

    In evaluation mode it is the affine map of the running statistics. In training mode the statistics are those of the
    client's ``images``, and the running ones are left alone. Both are made of elementary operations, because PyTorch's
    kernel has no rule under ``vmap`` and a slow second derivative.
    """

    images: int
    """The number of images of each client."""
    record: bool
    """True to keep the statistics of the client's activations in evaluation mode, too."""
    probe: bool
    """True to keep ``probes``."""
    probes: tuple[Tensor, Tensor] | None
    """The last call's weight and bias, once for each image, ``(N * images, C)``, to take each image's gradients by."""
    statistics: ChannelStatistics | None
    """The statistics of each client's activations in the last call."""

    @classmethod
    def like(cls, module: nn.BatchNorm2d, images: int) -> Self:
        """The same layer, sharing its parameters and statistics, for clients of ``images`` images."""
        new = cls(module.num_features, eps=module.eps, momentum=module.momentum)
        new.weight, new.bias = module.weight, module.bias
        new.running_mean, new.running_var = module.running_mean, module.running_var
        new.images, new.record, new.statistics = images, False, None
        new.probe, new.probes = False, None
        return new

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(N * images, C, H, W)``."""
        if self.training or self.record:
            variance, mean = torch.var_mean(x.unflatten(0, (-1, self.images)), dim=(1, 3, 4), correction=0)
            self.statistics = ChannelStatistics(mean, variance)
        mean, inverse = self._mean_and_inverse_deviation()
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        if self.probe:
            weight, bias = (t.repeat(len(x), 1).requires_grad_() for t in (weight, bias))
            self.probes = weight, bias
        scale = weight * inverse
        shift = bias - mean * scale
        if self.training or not self.probe:  # statistics depend on the images, or everything is under vmap
            return torch.addcmul(shift[:, :, None, None], x, scale[:, :, None, None])
        return affine(x, scale, shift)

    def _mean_and_inverse_deviation(self) -> tuple[Tensor, Tensor]:
        """The mean and one over the deviation, ``(1, C)``, or ``(N * images, C)`` in training mode."""
        if self.training and self.statistics is not None:
            mean = self.statistics.mean.repeat_interleave(self.images, dim=0)
            return mean, (self.statistics.variance.repeat_interleave(self.images, dim=0) + self.eps).rsqrt()
        running_mean, running_variance = self.get_buffer("running_mean"), self.get_buffer("running_var")
        return running_mean[None], (running_variance + self.eps).rsqrt()[None]


def shares_of_steps(layer: nn.BatchNorm2d, steps: int) -> list[float]:
    """The share of each of the last ``steps`` forward passes in a layer's running statistics; they sum to one.

    A step moves the running statistics towards its batch's by the layer's momentum, so that later steps weigh more.
    Without a momentum PyTorch takes the plain average.
    """
    momentum = layer.momentum or 0.0
    weights = [(1 - momentum) ** later for later in reversed(range(steps))]
    return [weight / sum(weights) for weight in weights]
