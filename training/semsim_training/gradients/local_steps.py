"""The weight deltas of many clients after several local steps (federated averaging), differentiable by the images.

After the first step clients no longer share weights, so everything runs once for each client, under ``vmap``.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from semsim.exceptions import InvalidUpdate
from semsim_training.gradients.attackable import attackable_copy, batchnorm_layers
from semsim_training.gradients.batchnorm import ChannelStatistics, shares_of_steps
from semsim_training.gradients.loss import client_losses, logits_of
from semsim_training.gradients.terms import DenseTerm, GradientTerm
from semsim_training.gradients.update import LocalTraining

_Pair = tuple[Tensor, Tensor]
"""The mean and the variance of a layer's channels, each ``(C,)``, as ``vmap`` can carry them."""


class LocalStepDeltas:
    """Each client's weight delta (after minus before), by the parameters of a victim in their order."""

    path = "vmap"

    def __init__(
        self, model: nn.Module, images: int, training: LocalTraining, *, train_batchnorm: bool, sign: float = 1.0
    ) -> None:
        """Prepare clients that train on ``images`` images each; their deltas are multiplied by ``sign``.

        One step of rate 1 with sign -1 is the gradient itself, for victims that :class:`SharedWeightGradients` refuses.
        """
        if training != replace(LocalTraining(training.learning_rate, training.batch_size), epochs=training.epochs):
            raise InvalidUpdate(f"expected local training by plain SGD, got {training}")
        self.images = images
        self._sign = sign
        self.training = training
        self.network = attackable_copy(model, training.batch_size, train_batchnorm=train_batchnorm)
        self.names = tuple(name for name, _ in self.network.named_parameters())
        self._layers = batchnorm_layers(self.network)
        self._statistics: list[ChannelStatistics] = []

    def __call__(self, images: Tensor, labels: Tensor) -> list[GradientTerm]:
        """The deltas for images ``(N * images, C, H, W)`` and labels, as the shared-weight gradients take them."""
        per_client = (t.unflatten(0, (-1, self.images)) for t in (images, labels))
        deltas, statistics = vmap(self._delta)(*per_client)
        self._statistics = [ChannelStatistics(mean, variance) for mean, variance in statistics]
        return [DenseTerm(delta.reshape(*delta.shape[:2], -1)) for delta in deltas]

    def statistics(self) -> list[ChannelStatistics]:
        """The statistics of the last call's images at the batch normalisations that keep them, in order.

        They are averaged over the steps with the shares that the steps have in the client's running statistics.
        """
        return self._statistics

    def lay_out(self, values: Sequence[Tensor]) -> list[Tensor]:
        """The targets ``(N, *parameter)``, laid out as the terms are: ``(N, out, rest)``."""
        return [value.reshape(*value.shape[:2], -1).contiguous() for value in values]

    def _delta(self, images: Tensor, labels: Tensor) -> tuple[tuple[Tensor, ...], list[_Pair]]:
        before: dict[str, Tensor] = dict(self.network.named_parameters())
        weights, steps = before, []
        for _ in range(self.training.epochs):
            for start in range(0, self.images, self.training.batch_size):
                stop = start + self.training.batch_size
                gradient, statistics = grad(self._loss, has_aux=True)(weights, images[start:stop], labels[start:stop])
                weights = {name: weights[name] - self.training.learning_rate * gradient[name] for name in weights}
                steps.append(statistics)
        return tuple(self._sign * (weights[name] - before[name]) for name in self.names), self._averaged(steps)

    def _loss(self, weights: dict[str, Tensor], images: Tensor, labels: Tensor) -> tuple[Tensor, list[_Pair]]:
        logits = logits_of(functional_call(self.network, weights, (images,)))
        recorded = [layer.statistics for layer in self._layers if layer.statistics is not None]
        pairs = [(statistics.mean[0], statistics.variance[0]) for statistics in recorded]
        return client_losses(logits, labels, len(images))[0], pairs

    def _averaged(self, steps: list[list[_Pair]]) -> list[_Pair]:
        """Each layer's mean and variance over the steps."""
        averaged = []
        for layer, pairs in zip(self._layers, zip(*steps, strict=True), strict=False):
            shares = shares_of_steps(layer, len(steps))
            means, variances = zip(*pairs, strict=True)
            averaged.append((_weighted(means, shares), _weighted(variances, shares)))
        return averaged


def _weighted(values: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    return torch.stack([share * value for share, value in zip(shares, values, strict=True)]).sum(dim=0)
