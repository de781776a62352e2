"""The weight deltas of many clients after several local steps (federated averaging), differentiable by the images.

After the first step clients no longer share weights, so everything runs once for each client, under ``vmap`` or one
after another.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from semsim_training.gradients.attackable import attackable_copy, batchnorm_layers, trained_names
from semsim_training.gradients.batchnorm import ChannelStatistics, ClientBatchNorm, shares_of_steps
from semsim_training.gradients.loss import client_losses, logits_of
from semsim_training.gradients.optimiser_steps import Moments, step
from semsim_training.gradients.terms import DenseTerm, GradientTerm, NormalisedTerm
from semsim_training.gradients.update import LocalTraining

_Pair = tuple[Tensor, Tensor]
"""The mean and the variance of a layer's channels, each ``(C,)``, as ``vmap`` can carry them."""


class LocalStepDeltas:
    """Each client's weight delta (after minus before), by the parameters of a victim in their order."""

    def __init__(
        self,
        model: nn.Module,
        images: int,
        training: LocalTraining,
        *,
        train_batchnorm: bool,
        sign: float = 1.0,
        vectorised: bool = True,
    ) -> None:
        """Prepare clients that train on ``images`` images each; their deltas are multiplied by ``sign``.

        One step of rate 1 with sign -1 is the gradient itself, for victims that :class:`SharedWeightGradients` refuses.
        ``vectorised`` is false for victims that ``vmap`` refuses.

        Raises:
            InvalidUpdate: the training's schedule or order is not of ``images`` images.
        """
        training.check(images)
        self.path = "vmap" if vectorised else "loop"
        self.images = images
        self._sign = sign
        self.training = training
        self.network = attackable_copy(model, training.batch_size, train_batchnorm=train_batchnorm)
        self.names = trained_names(model)
        self._layers = batchnorm_layers(self.network)
        self._batches = training.batches(images)
        self._used: tuple[str, ...] | None = None
        self._statistics: list[ChannelStatistics] = []

    def __call__(self, images: Tensor, labels: Tensor) -> list[GradientTerm]:
        """The deltas for images ``(N * images, C, H, W)`` and labels, as the shared-weight gradients take them."""
        pixels, classes = (t.unflatten(0, (-1, self.images)) for t in (images, labels))
        if self._used is None:
            self._used = self._used_names(pixels[0], classes[0])
        if self.path == "vmap":
            deltas, seconds, statistics = vmap(self._delta)(pixels, classes)
        else:
            each = [self._delta(*client) for client in zip(pixels, classes, strict=True)]
            deltas, seconds = (
                tuple(torch.stack(values) for values in zip(*one, strict=True))
                for one in zip(*((delta, second) for delta, second, _ in each), strict=True)
            )
            layers = zip(*(pairs for *_, pairs in each), strict=True)
            statistics = [
                (torch.stack([mean for mean, _ in pairs]), torch.stack([variance for _, variance in pairs]))
                for pairs in layers
            ]
        self._statistics = [ChannelStatistics(mean, variance) for mean, variance in statistics]
        if not seconds:
            return [DenseTerm(_rows(delta)) for delta in deltas]
        return [
            NormalisedTerm(_rows(delta), _rows(second), delta.ndim == 3)
            for delta, second in zip(deltas, seconds, strict=True)
        ]

    def statistics(self) -> list[ChannelStatistics]:
        """The statistics of the last call's images at the batch normalisations that keep them, in order.

        They are averaged over the steps with the shares that the steps have in the client's running statistics.
        """
        return self._statistics

    def lay_out(self, values: Sequence[Tensor]) -> list[Tensor]:
        """The targets ``(N, *parameter)``, laid out as the terms are: ``(N, out, rest)``."""
        return [_rows(value).contiguous() for value in values]

    def _delta(self, images: Tensor, labels: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], list[_Pair]]:
        """One client's deltas, Adam's second moments beside them, and the batch statistics."""
        before = {name: self.network.get_parameter(name) for name in self.names}
        weights, moments, steps = dict[str, Tensor](before), Moments(), []
        for indices in self._batches:
            gradients, statistics = grad(self._loss, has_aux=True)(
                weights, *(t[list(indices)] for t in (images, labels))
            )
            weights, moments = step(
                self.training, weights, {name: gradients[name] for name in self._used or ()}, moments
            )
            steps.append(statistics)
        deltas = tuple(self._sign * (weights[name] - before[name]) for name in self.names)
        seconds = tuple(
            moments.second.get(name, torch.zeros_like(before[name])).detach()
            for name in (self.names if moments.second else ())
        )
        return deltas, seconds, self._averaged(steps)

    def _loss(self, weights: dict[str, Tensor], images: Tensor, labels: Tensor) -> tuple[Tensor, list[_Pair]]:
        for module in self.network.modules():
            if isinstance(module, ClientBatchNorm):
                module.images = len(images)
        logits = logits_of(functional_call(self.network, weights, (images,)))
        recorded = [layer.statistics for layer in self._layers if layer.statistics is not None]
        pairs = [(statistics.mean[0], statistics.variance[0]) for statistics in recorded]
        return client_losses(logits, labels, len(images))[0], pairs

    def _used_names(self, images: Tensor, labels: Tensor) -> tuple[str, ...]:
        """The parameters that the loss depends on; ``torch.optim`` leaves the others alone, decay included."""
        first = list(self._batches[0])
        weights = {name: self.network.get_parameter(name).detach().requires_grad_() for name in self.names}
        with torch.enable_grad():
            loss, _ = self._loss(weights, *(t[first].detach() for t in (images, labels)))
            gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
        return tuple(name for name, gradient in zip(weights, gradients, strict=True) if gradient is not None)

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


def _rows(value: Tensor) -> Tensor:
    """``(N, *parameter)`` as ``(N, out, rest)``; a parameter that is one number has one output."""
    return value[:, None, None] if value.ndim == 1 else value.reshape(*value.shape[:2], -1)
