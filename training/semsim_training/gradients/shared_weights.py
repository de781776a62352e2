"""The gradients of many clients from one forward and one backward pass through the weights they share.

A layer's weight gradient is the product of its input and its delta, the loss's gradient by its output. Both come from
passes that all clients share; only the product is made for each client. Differentially private training computes
per-example gradients in this way (Goodfellow, 2015, arXiv 1510.01799). Here all of it is differentiable by the images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import torch
from torch import Tensor, nn

from semsim.exceptions import InvalidVictim
from semsim_training.gradients import winograd
from semsim_training.gradients.attackable import attackable_copy, batchnorm_layers
from semsim_training.gradients.batchnorm import ChannelStatistics, ClientBatchNorm
from semsim_training.gradients.convolution import PatchWeightGradient, SharedConvolution, supported, window_of
from semsim_training.gradients.loss import client_losses
from semsim_training.gradients.position import AddedPositions
from semsim_training.gradients.terms import DenseTerm, GradientTerm, OuterTerm

_LAYERS = (nn.Conv2d, nn.Linear, ClientBatchNorm, nn.LayerNorm, AddedPositions)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A layer's input and output, and the tensors that the loss's gradients are taken by."""

    entered: Tensor
    """The input, or its frequencies."""
    left: Tensor
    """The output."""
    by: tuple[Tensor, ...]
    """The output or tensors in its place, by which the loss's gradients give those of the layer's parameters."""


class SharedWeightGradients:
    """Every client's gradient, by the parameters of a victim in their order."""

    path = "shared weights"

    def __init__(self, model: nn.Module, images: int, *, train_batchnorm: bool) -> None:
        """Prepare clients of ``images`` images; with ``train_batchnorm`` each normalises by its own batch statistics.

        Raises:
            InvalidVictim: a layer with parameters is of no kind that is known here.
        """
        self.images = images
        self.network = attackable_copy(model, images, train_batchnorm=train_batchnorm)
        self.names = tuple(name for name, _ in self.network.named_parameters())
        self._layers = {
            module: prefix
            for prefix, module in self.network.named_modules()
            if next(module.parameters(recurse=False), None) is not None
        }
        self._seen: dict[nn.Module, _Seen] = {}
        self._frequencies: dict[nn.Module, tuple[Tensor, Tensor]] = {}
        self._kernels: dict[tuple[nn.Module, torch.dtype], winograd.Kernel] = {}
        self._overwritten: set[nn.Module] = set()
        for layer, prefix in self._layers.items():
            if not isinstance(layer, _LAYERS) or (isinstance(layer, nn.Conv2d) and not supported(layer)):
                raise InvalidVictim(
                    f"expected the parameters in plain convolutions, fully connected layers, batch or layer "
                    f"normalisation, got {prefix}: {layer}"
                )
            if isinstance(layer, ClientBatchNorm):
                layer.probe = True
            if isinstance(layer, nn.Conv2d):
                layer.forward = partial(self._convolve, layer)  # type: ignore[method-assign]
            layer.register_forward_hook(self._remember)

    def _remember(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        if layer in self._seen:
            raise InvalidVictim(f"expected each layer to run once, got {self._layers[layer]} a second time")
        entered: Tensor = inputs[0]
        by: tuple[Tensor, ...] = (output,)
        if isinstance(layer, ClientBatchNorm) and layer.probes is not None:
            by = layer.probes
        elif layer in self._frequencies:
            entered, leaving = self._frequencies.pop(layer)
            by = (leaving, output)
        self._seen[layer] = _Seen(entered, output, by)
        return output.clone() if layer in self._overwritten else None

    def _forward(self, images: Tensor) -> tuple[Tensor, dict[nn.Module, _Seen]]:
        """The logits, and what entered and left each layer."""
        while True:
            self._seen = {}
            logits = self.network(images)
            seen, self._seen = self._seen, {}
            # Functional in-place operations (DenseNet's last ReLU) would change a layer's output.
            overwritten = {layer for layer, one in seen.items() if one.left._version} - self._overwritten
            if not overwritten:
                return logits, seen
            self._overwritten |= overwritten

    def __call__(self, images: Tensor, labels: Tensor) -> list[GradientTerm]:
        """Each client's gradient of its mean cross-entropy: a term for each parameter, in the order of ``names``.

        ``images`` ``(N * images, C, H, W)`` normalised, requiring a gradient; ``labels`` ``(N * images,)`` classes, or
        ``(N * images, classes)`` probabilities.
        """
        logits, seen = self._forward(images)
        losses = client_losses(logits, labels, self.images)
        gradients = iter(
            torch.autograd.grad(losses.sum(), [t for one in seen.values() for t in one.by], create_graph=True)
        )
        terms: dict[str, GradientTerm] = {}
        for layer, one in seen.items():
            for name, term in self._terms(layer, one.entered, *islice(gradients, len(one.by))).items():
                terms[f"{self._layers[layer]}.{name}".removeprefix(".")] = term
        return [terms[name] for name in self.names]

    def statistics(self) -> list[ChannelStatistics]:
        """The statistics of the last call's images at the batch normalisations that keep them, in order."""
        layers = batchnorm_layers(self.network)
        return [layer.statistics for layer in layers if layer.statistics is not None]

    def lay_out(self, values: Sequence[Tensor]) -> list[Tensor]:
        """The targets ``(N, *parameter)``, in the order of ``names``, laid out as the terms are: ``(N, out, rest)``."""
        weights = {f"{prefix}.weight".removeprefix("."): layer for layer, prefix in self._layers.items()}
        laid_out = []
        for name, value in zip(self.names, values, strict=True):
            layer = weights.get(name)
            if isinstance(layer, nn.Conv2d):
                value = value.permute(0, 1, 3, 4, 2)
            laid_out.append(value.reshape(*value.shape[:2], -1).contiguous())
        return laid_out

    def _terms(self, layer: nn.Module, x: Tensor, delta: Tensor, *others: Tensor) -> dict[str, GradientTerm]:
        """The gradients by a layer's parameters, from its input ``x`` and the gradients by ``_Seen.by``."""
        terms: dict[str, GradientTerm] = {}
        match layer:
            case nn.Conv2d():
                clients = len(delta) // self.images
                if others:  # from frequencies
                    frequencies, (delta,) = delta, others
                    weight = winograd.WeightGradient.apply(x, frequencies, len(delta) // self.images)
                else:
                    weight = PatchWeightGradient.apply(x, delta, window_of(layer), clients)
                terms["weight"] = DenseTerm(weight)
                by_bias = delta.sum(dim=(2, 3)) if layer.bias is not None else delta
            case nn.Linear():
                inputs, deltas = (t.reshape(len(x) // self.images, -1, t.shape[-1]) for t in (x, delta))
                terms["weight"] = OuterTerm(inputs, deltas)
                by_bias = delta.reshape(len(x), -1, delta.shape[-1]).sum(dim=1)
            case ClientBatchNorm():
                (by_bias,) = others
                terms["weight"] = self._summed(delta)
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
        """Each image's gradients ``(N * images, out, ...)``, summed over each client's images to ``(N, out, rest)``."""
        total = per_image.unflatten(0, (-1, self.images)).sum(dim=1)
        return DenseTerm(total.reshape(*total.shape[:2], -1))

    def _convolve(self, layer: nn.Conv2d, x: Tensor) -> Tensor:
        """The output of a convolution, in channels-last memory."""
        if not winograd.takes(layer, x):
            x, weight = (t.contiguous(memory_format=torch.channels_last) for t in (x, layer.weight))
            plain: Tensor = SharedConvolution.apply(x, weight, layer.bias, window_of(layer))
            return plain
        if (layer, x.dtype) not in self._kernels:
            self._kernels[layer, x.dtype] = winograd.Kernel.of(layer.weight)
        output, entering, leaving = winograd.convolve(x, self._kernels[layer, x.dtype])
        self._frequencies[layer] = (entering, leaving)
        return output if layer.bias is None else output + layer.bias[:, None, None]
