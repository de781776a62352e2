"""The gradients of many clients from one forward and one backward pass through the weights they share.

The loss's gradient by what leaves a layer (its delta), with what came in, gives that layer's weight gradient for
every client: only that last product is done once a client. Per-example gradients of differentially private
training are computed so (Goodfellow, 2015, arXiv 1510.01799); here all of it stays differentiable by the images.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from semsim.exceptions import InvalidVictim
from training.gradients.attackable import attackable_copy, batchnorm_layers
from training.gradients.batchnorm import ChannelStatistics, ClientBatchNorm
from training.gradients.convolution import (
    GroupedWeightGradient,
    PatchWeightGradient,
    SharedConvolution,
    prefers_patches,
    supported,
    window_of,
)
from training.gradients.loss import client_losses
from training.gradients.position import AddedPositions
from training.gradients.terms import DenseTerm, GradientTerm, OuterTerm

_LAYERS = (nn.Conv2d, nn.Linear, ClientBatchNorm, nn.LayerNorm, AddedPositions)


class SharedWeightGradients:
    """A victim, made ready to give every client's gradient; parameters in the victim's own order."""

    def __init__(self, model: nn.Module, images: int, *, train_batchnorm: bool) -> None:
        """``images`` a client holds; ``train_batchnorm``: normalised by the client's own batch statistics.

        Raises:
            InvalidVictim: parameters in a layer of no kind known here.
        """
        self.images = images
        self.network = attackable_copy(model, images, train_batchnorm=train_batchnorm)
        self.names = tuple(name for name, _ in self.network.named_parameters())
        self._layers = {
            module: prefix
            for prefix, module in self.network.named_modules()
            if next(module.parameters(recurse=False), None) is not None
        }
        self._seen: dict[nn.Module, tuple[Tensor, Tensor]] = {}
        self._overwritten: set[nn.Module] = set()
        for layer, prefix in self._layers.items():
            if not isinstance(layer, _LAYERS) or (isinstance(layer, nn.Conv2d) and not supported(layer)):
                raise InvalidVictim(
                    f"expected the parameters in plain convolutions, fully connected layers, batch or layer "
                    f"normalisation, got {prefix}: {layer}"
                )
            if isinstance(layer, nn.Conv2d):
                layer.forward = partial(_convolve, layer)  # type: ignore[method-assign]
            layer.register_forward_hook(self._remember)

    def _remember(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        if layer in self._seen:
            raise InvalidVictim(f"expected each layer to run once, got {self._layers[layer]} a second time")
        self._seen[layer] = (inputs[0], output)
        return output.clone() if layer in self._overwritten else None

    def _forward(self, images: Tensor) -> tuple[Tensor, dict[nn.Module, tuple[Tensor, Tensor]]]:
        """Logits, and what came into and left each layer."""
        while True:
            self._seen = {}
            logits = self.network(images)
            seen, self._seen = self._seen, {}
            # Functional in-place operations (DenseNet's last ReLU) would change what a layer gave.
            overwritten = {layer for layer, (_, output) in seen.items() if output._version} - self._overwritten
            if not overwritten:
                return logits, seen
            self._overwritten |= overwritten

    def __call__(self, images: Tensor, labels: Tensor) -> list[GradientTerm]:
        """Each client's gradient of its mean cross-entropy: one term a parameter, in the order of ``names``.

        ``images`` ``(N * images, C, H, W)`` normalised, requiring a gradient; ``labels`` ``(N * images,)`` classes, or
        ``(N * images, classes)`` probabilities.
        """
        logits, seen = self._forward(images)
        losses = client_losses(logits, labels, self.images)
        deltas = torch.autograd.grad(losses.sum(), [output for _, output in seen.values()], create_graph=True)
        terms: dict[str, GradientTerm] = {}
        for (layer, (x, _)), delta in zip(seen.items(), deltas, strict=True):
            for name, term in self._terms(layer, x, delta).items():
                terms[f"{self._layers[layer]}.{name}".removeprefix(".")] = term
        return [terms[name] for name in self.names]

    def statistics(self) -> list[ChannelStatistics]:
        """What the last call's images made of the batch normalisations that keep it, in order."""
        layers = batchnorm_layers(self.network)
        return [layer.statistics for layer in layers if layer.statistics is not None]

    def lay_out(self, values: Sequence[Tensor]) -> list[Tensor]:
        """Targets ``(N, *parameter)``, in the order of ``names``, laid out as the terms are: ``(N, out, rest)``."""
        weights = {f"{prefix}.weight".removeprefix("."): layer for layer, prefix in self._layers.items()}
        laid_out = []
        for name, value in zip(self.names, values, strict=True):
            layer = weights.get(name)
            if isinstance(layer, nn.Conv2d) and prefers_patches(layer, value.device):
                value = value.permute(0, 1, 3, 4, 2)
            laid_out.append(value.reshape(*value.shape[:2], -1).contiguous())
        return laid_out

    def _terms(self, layer: nn.Module, x: Tensor, delta: Tensor) -> dict[str, GradientTerm]:
        terms: dict[str, GradientTerm] = {}
        match layer:
            case nn.Conv2d():
                terms["weight"] = self._convolution(layer, x, delta)
                by_bias = delta.sum(dim=(2, 3))
            case nn.Linear():
                inputs, deltas = (t.reshape(len(x) // self.images, -1, t.shape[-1]) for t in (x, delta))
                terms["weight"] = OuterTerm(inputs, deltas)
                by_bias = delta.reshape(len(x), -1, delta.shape[-1]).sum(dim=1)
            case ClientBatchNorm():
                by_weight, by_bias = layer.parameter_gradients(x, delta)
                terms["weight"] = self._summed(by_weight)
            case nn.LayerNorm():
                normalised = nn.functional.layer_norm(x, layer.normalized_shape, eps=layer.eps)
                products = (t.reshape(len(x), -1, x.shape[-1]) for t in (delta * normalised, delta))
                by_weight, by_bias = (t.sum(dim=1) for t in products)
                terms["weight"] = self._summed(by_weight)
            case _:
                return {"positions": self._summed(delta)}
        if layer.bias is not None:
            terms["bias"] = self._summed(by_bias)
        return terms

    def _summed(self, per_image: Tensor) -> DenseTerm:
        """Gradients an image, ``(N * images, out, ...)``, summed over each client's images to ``(N, out, rest)``."""
        total = per_image.unflatten(0, (-1, self.images)).sum(dim=1)
        return DenseTerm(total.reshape(*total.shape[:2], -1))

    def _convolution(self, layer: nn.Conv2d, x: Tensor, delta: Tensor) -> DenseTerm:
        clients, window = len(x) // self.images, window_of(layer)
        if prefers_patches(layer, x.device):
            return DenseTerm(PatchWeightGradient.apply(x, delta, window, clients))
        x, delta = (_clients_as_groups(t, self.images) for t in (x, delta))
        weight: Tensor = GroupedWeightGradient.apply(x, delta, window, clients)
        return DenseTerm(weight.reshape(clients, layer.out_channels, -1))


def _convolve(layer: nn.Conv2d, x: Tensor) -> Tensor:
    # In the memory order that the layer's weight gradient wants: what leaves a convolution keeps it.
    order = torch.channels_last if prefers_patches(layer, x.device) else torch.contiguous_format
    x, weight = x.contiguous(memory_format=order), layer.weight.contiguous(memory_format=order)
    output: Tensor = SharedConvolution.apply(x, weight, layer.bias, window_of(layer))
    return output


def _clients_as_groups(x: Tensor, images: int) -> Tensor:
    """``(N * images, C, H, W)`` to ``(images, N * C, H, W)``."""
    grouped: Tensor = x.unflatten(0, (-1, images)).transpose(0, 1).reshape(images, -1, *x.shape[2:])
    return grouped
