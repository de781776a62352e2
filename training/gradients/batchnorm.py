"""Batch normalisation of many clients at once: no client's images touch another's statistics."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """Of one layer's activations over images and positions; ``(N, C)`` for N clients."""

    mean: Tensor
    variance: Tensor
    """Biased: what activations are divided by."""


class ClientBatchNorm(nn.BatchNorm2d):
    """Batch normalisation as each client computes it, on images of many clients, ``(N * images, C, H, W)``.

    In evaluation mode it is the affine map of the running statistics; in training mode the statistics are those
    of the client's own ``images``, and the running ones are left alone. Both are made of elementary
    operations: the native kernel has no rule under ``vmap``, and a slow second derivative.
    """

    images: int
    record: bool
    """Whether to keep the statistics of the client's activations in evaluation mode, too."""
    statistics: ChannelStatistics | None
    """Of each client's activations in the last call."""

    @classmethod
    def like(cls, module: nn.BatchNorm2d, images: int) -> Self:
        """The same layer, sharing its parameters and statistics, for clients of ``images`` images."""
        new = cls(module.num_features, eps=module.eps, momentum=module.momentum)
        new.weight, new.bias = module.weight, module.bias
        new.running_mean, new.running_var = module.running_mean, module.running_var
        new.images, new.record, new.statistics = images, False, None
        return new

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(N * images, C, H, W)``."""
        if self.training or self.record:
            variance, mean = torch.var_mean(x.unflatten(0, (-1, self.images)), dim=(1, 3, 4), correction=0)
            self.statistics = ChannelStatistics(mean, variance)
        mean, inverse = self._mean_and_inverse_deviation()
        scale = self.weight * inverse
        return torch.addcmul((self.bias - mean * scale)[:, :, None, None], x, scale[:, :, None, None])

    def parameter_gradients(self, x: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of weight and bias, an image each, ``(N * images, C)``; ``delta`` is by the output."""
        mean, inverse = self._mean_and_inverse_deviation()
        by_bias = delta.sum(dim=(2, 3))
        return ((delta * x).sum(dim=(2, 3)) - mean * by_bias) * inverse, by_bias

    def _mean_and_inverse_deviation(self) -> tuple[Tensor, Tensor]:
        """Each ``(1, C)``, or ``(N * images, C)`` in training mode."""
        if self.training and self.statistics is not None:
            mean = self.statistics.mean.repeat_interleave(self.images, dim=0)
            return mean, (self.statistics.variance.repeat_interleave(self.images, dim=0) + self.eps).rsqrt()
        running_mean, running_variance = self.get_buffer("running_mean"), self.get_buffer("running_var")
        return running_mean[None], (running_variance + self.eps).rsqrt()[None]


def shares_of_steps(layer: nn.BatchNorm2d, steps: int) -> list[float]:
    """What each of ``steps`` forward passes weighs in a layer's running statistics, those before left aside.

    A step moves the running statistics towards its batch's by the layer's momentum, so that later ones weigh more;
    without a momentum PyTorch takes the plain average. The shares sum to one.
    """
    momentum = layer.momentum or 0.0
    weights = [(1 - momentum) ** later for later in reversed(range(steps))]
    return [weight / sum(weights) for weight in weights]
