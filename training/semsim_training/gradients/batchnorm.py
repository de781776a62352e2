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


class ClientBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation as each client computes it, on images of many clients, ``(N * images, C, ...)``.

    In evaluation mode it is the affine map of the running statistics. In training mode, and where there are no running
    statistics, the statistics are those of the client's ``images``, and the running ones are left alone. Both are made
    of elementary operations, because PyTorch's kernel has no rule under ``vmap`` and a slow second derivative.
    """

    images: int
    """The number of images of each client."""
    record: bool
    """True to keep the statistics of the client's activations in evaluation mode, too."""
    probe: bool
    """True to keep ``probes``."""
    probes: tuple[Tensor, ...]
    """The last call's weight and bias, once for each image, ``(N * images, C)``, to take each image's gradients by."""
    statistics: ChannelStatistics | None
    """The statistics of each client's activations in the last call."""

    @classmethod
    def like(cls, module: nn.modules.batchnorm._BatchNorm, images: int) -> Self:
        """The same layer, sharing its parameters and statistics, for clients of ``images`` images."""
        new = cls(module.num_features, eps=module.eps, momentum=module.momentum)
        new.affine, new.track_running_stats = module.affine, module.track_running_stats
        new.weight, new.bias = module.weight, module.bias
        new.running_mean, new.running_var = module.running_mean, module.running_var
        new.images, new.record, new.statistics = images, False, None
        new.probe, new.probes = False, ()
        return new

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(N * images, C, ...)``."""
        of_batch = self.training or self.running_mean is None
        if of_batch or self.record:
            positions = tuple(range(3, x.ndim + 1))
            variance, mean = torch.var_mean(x.unflatten(0, (-1, self.images)), dim=(1, *positions), correction=0)
            self.statistics = ChannelStatistics(mean, variance)
        mean, scale = self._mean_and_inverse_deviation(of_batch=of_batch)
        weight: Tensor | None = self.weight
        bias: Tensor | None = self.bias
        if self.probe and weight is not None:
            weight = weight.detach().repeat(x.shape[0], 1).requires_grad_()
            bias = None if bias is None else bias.detach().repeat(x.shape[0], 1).requires_grad_()
            self.probes = (weight,) if bias is None else (weight, bias)
        scale = scale if weight is None else scale * weight
        shift = -mean * scale if bias is None else bias - mean * scale
        if of_batch or not self.probe or weight is None:  # statistics depend on the images, or all is under vmap
            scale, shift = (value.reshape(*value.shape, *[1] * (x.ndim - 2)) for value in (scale, shift))
            return torch.addcmul(shift, x, scale)
        return affine(x, scale, shift)

    def _mean_and_inverse_deviation(self, *, of_batch: bool) -> tuple[Tensor, Tensor]:
        """The mean and one over the deviation, ``(1, C)``, or ``(N * images, C)`` of the clients' batches."""
        if of_batch and self.statistics is not None:
            mean = self.statistics.mean.repeat_interleave(self.images, dim=0)
            return mean, (self.statistics.variance.repeat_interleave(self.images, dim=0) + self.eps).rsqrt()
        running_mean, running_variance = self.get_buffer("running_mean"), self.get_buffer("running_var")
        return running_mean[None], (running_variance + self.eps).rsqrt()[None]

    def _check_input_dim(self, input: Tensor) -> None:
        """Take images of any number of dimensions."""


def shares_of_steps(layer: nn.modules.batchnorm._BatchNorm, steps: int) -> list[float]:
    """The share of each of the last ``steps`` forward passes in a layer's running statistics; they sum to one.

    A step moves the running statistics towards its batch's by the layer's momentum, so that later steps weigh more.
    Without a momentum PyTorch takes the plain average.
    """
    momentum = layer.momentum or 0.0
    weights = [(1 - momentum) ** later for later in reversed(range(steps))]
    return [weight / sum(weights) for weight in weights]
