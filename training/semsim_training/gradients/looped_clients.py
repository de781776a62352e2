"""The gradients of clients one after another, by plain autograd: for networks that no faster path takes."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from semsim_training.gradients.attackable import attackable_copy, batchnorm_layers, trained_names
from semsim_training.gradients.batchnorm import ChannelStatistics
from semsim_training.gradients.loss import client_losses, logits_of
from semsim_training.gradients.terms import DenseTerm, GradientTerm


class LoopedClientGradients:
    """Every client's gradient, by the parameters of a victim in their order."""

    path = "loop"

    def __init__(self, model: nn.Module, images: int, *, train_batchnorm: bool) -> None:
        """Prepare clients of ``images`` images; with ``train_batchnorm`` each normalises by its own statistics."""
        self.images = images
        self.network = attackable_copy(model, images, train_batchnorm=train_batchnorm)
        self.names = trained_names(model)
        self._statistics: list[ChannelStatistics] = []

    def __call__(self, images: Tensor, labels: Tensor) -> list[GradientTerm]:
        """The gradients for images ``(N * images, C, H, W)`` and labels, as the shared-weight gradients take them."""
        parameters = [self.network.get_parameter(name).requires_grad_() for name in self.names]
        layers = batchnorm_layers(self.network)
        clients, recorded = [], []
        for pixels, classes in zip(*(t.split(self.images) for t in (images, labels)), strict=True):
            losses = client_losses(logits_of(self.network(pixels)), classes, self.images)
            clients.append(torch.autograd.grad(losses[0], parameters, create_graph=True, materialize_grads=True))
            recorded.append([layer.statistics for layer in layers if layer.statistics is not None])
        self._statistics = [
            ChannelStatistics(torch.cat([one.mean for one in seen]), torch.cat([one.variance for one in seen]))
            for seen in zip(*recorded, strict=True)
        ]
        return [DenseTerm(_rows(torch.stack(gradients))) for gradients in zip(*clients, strict=True)]

    def statistics(self) -> list[ChannelStatistics]:
        """The statistics of the last call's images at the batch normalisations that keep them, in order."""
        return self._statistics

    def lay_out(self, values: Sequence[Tensor]) -> list[Tensor]:
        """The targets ``(N, *parameter)``, laid out as the terms are: ``(N, out, rest)``."""
        return [_rows(value).contiguous() for value in values]


def _rows(value: Tensor) -> Tensor:
    """``(N, *parameter)`` as ``(N, out, rest)``; a parameter that is one number has one output."""
    return value[:, None, None] if value.ndim == 1 else value.reshape(*value.shape[:2], -1)
