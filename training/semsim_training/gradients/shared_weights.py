"""The gradients of many clients from one forward and one backward pass through the weights they share.

A layer's weight gradient is the product of its input and its delta, the loss's gradient by its output. Both come from
passes that all clients share; only the product is made for each client. Differentially private training computes
per-example gradients in this way (Goodfellow, 2015, arXiv 1510.01799). Here all of it is differentiable by the images.
"""

from collections.abc import Sequence
from functools import partial
from itertools import islice

import torch
from torch import Tensor, nn

from semsim.exceptions import InvalidVictim
from semsim_training.gradients.attackable import attackable_copy, batchnorm_layers, trained_names
from semsim_training.gradients.batchnorm import ChannelStatistics
from semsim_training.gradients.known_layers import known_layer
from semsim_training.gradients.loss import client_losses, logits_of
from semsim_training.gradients.own_forward import forward_by
from semsim_training.gradients.shared_layer import LayerRun, SharedLayer
from semsim_training.gradients.terms import DenseTerm, GradientTerm, rows


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
        self.names = trained_names(model)
        self._runs: list[tuple[nn.Module, LayerRun]] = []
        self._batch = 0
        self._overwritten: set[nn.Module] = set()
        self._checked = False
        self._copies: dict[str, Tensor] = {}
        """Copies for each client of parameters outside known layers; here there are none."""
        first_names = {parameter: name for name, parameter in self.network.named_parameters()}
        self._names: dict[nn.Module, dict[str, str]] = {}  # by the layers' own names for them
        self._prefixes = {layer: prefix for prefix, layer in self.network.named_modules()}
        for layer in self._prefixes:
            names = {own: first_names[parameter] for own, parameter in layer.named_parameters(recurse=False)}
            if not names.keys() or not {*names.values()} & {*self.names}:
                continue
            known = known_layer(layer)
            if known is None:
                self._take_unknown(layer, names)
                continue
            kind, run = known
            self._names[layer] = names
            layer.forward = forward_by(layer, kind, partial(self._run, layer, run))

    def _take_unknown(self, layer: nn.Module, names: dict[str, str]) -> None:
        """Take a layer that is not known, with the names of its parameters by its own names for them."""
        raise InvalidVictim(
            f"expected the parameters in convolutions, fully connected layers and normalisations as PyTorch computes "
            f"them, got {self._prefixes[layer] or 'the network'}: {type(layer).__name__} with {', '.join(names)}"
        )

    def _run(self, layer: nn.Module, run: SharedLayer, input: Tensor) -> Tensor:
        if input.shape[0] != self._batch:
            raise InvalidVictim(
                f"expected {self._batch} images in the first dimension of what enters {self._prefixes[layer]}, got "
                f"{tuple(input.shape)}"
            )
        layer_run = run(input, self.images)
        self._runs.append((layer, layer_run))
        return layer_run.output.clone() if layer in self._overwritten else layer_run.output

    def _forward(self, images: Tensor) -> tuple[Tensor, list[tuple[nn.Module, LayerRun]]]:
        """The logits, and the runs of the layers in their order."""
        self._batch = len(images)
        while True:
            self._runs = []
            logits = self._pass(images)
            runs, self._runs = self._runs, []
            # Functional in-place operations (DenseNet's last ReLU) would change a layer's output.
            overwritten = {layer for layer, run in runs if run.output._version} - self._overwritten
            if not overwritten:
                return logits, runs
            self._overwritten |= overwritten

    def _pass(self, images: Tensor) -> Tensor:
        """The logits; each layer that is known notes its run."""
        return logits_of(self.network(images))

    def __call__(self, images: Tensor, labels: Tensor) -> list[GradientTerm]:
        """Each client's gradient of its mean cross-entropy: a term for each parameter, in the order of ``names``.

        ``images`` ``(N * images, C, H, W)`` normalised, requiring a gradient; ``labels`` ``(N * images,)`` classes, or
        ``(N * images, classes)`` probabilities.

        Raises:
            InvalidVictim: a layer gets other than the images in its first dimension, or its parameters are used
                without the layer.
        """
        if not self._checked:
            self._check(images, labels)
        logits, runs = self._forward(images)
        losses = client_losses(logits, labels, self.images)
        by = [*(tensor for _, run in runs for tensor in run.by), *self._copies.values()]
        gradients = iter(torch.autograd.grad(losses.sum(), by, create_graph=True, materialize_grads=True))
        terms: dict[str, GradientTerm] = {}
        for layer, run in runs:
            for own, term in run.terms(*islice(gradients, len(run.by))).items():
                name = self._names[layer][own]
                terms[name] = DenseTerm(terms[name].dense() + term.dense()) if name in terms else term
        terms |= {name: DenseTerm(rows(gradient)) for name, gradient in zip(self._copies, gradients, strict=True)}
        clients = len(images) // self.images
        return [terms[name] if name in terms else self._zero(name, clients) for name in self.names]

    def _zero(self, name: str, clients: int) -> GradientTerm:
        """The gradients by a parameter of which the loss is independent, because no layer ran with it."""
        parameter = self.network.get_parameter(name)
        return DenseTerm(rows(parameter.new_zeros(clients, *parameter.shape)))

    def _check(self, images: Tensor, labels: Tensor) -> None:
        """Refuse a network that uses a parameter in another way than by running the layer that owns it."""
        if used := self._used_elsewhere(images, labels):
            raise InvalidVictim(f"expected parameters to be used by the layers that own them only, got {used[0]}")
        self._checked = True

    def _used_elsewhere(self, images: Tensor, labels: Tensor) -> list[str]:
        """The parameters that the network uses in another way than by running a known layer that owns them.

        Runs of known layers are constants to autograd by their parameters, so that it sees every other use.
        """
        parameters = [self.network.get_parameter(name) for name in self.names]
        try:
            for parameter in parameters:
                parameter.requires_grad_()
            logits, _ = self._forward(images)
            losses = client_losses(logits, labels, self.images).sum()
            gradients = torch.autograd.grad(losses, parameters, allow_unused=True)
        finally:
            self.network.requires_grad_(False)
        return [name for name, gradient in zip(self.names, gradients, strict=True) if gradient is not None]

    def statistics(self) -> list[ChannelStatistics]:
        """The statistics of the last call's images at the batch normalisations that keep them, in order."""
        layers = batchnorm_layers(self.network)
        return [layer.statistics for layer in layers if layer.statistics is not None]

    def lay_out(self, values: Sequence[Tensor]) -> list[Tensor]:
        """The targets ``(N, *parameter)``, in the order of ``names``, laid out as the terms are: ``(N, out, rest)``."""
        convolved = {
            names["weight"] for layer, names in self._names.items() if isinstance(layer, nn.Conv1d | nn.Conv2d)
        }
        laid_out = []
        for name, value in zip(self.names, values, strict=True):
            value = value.movedim(2, -1) if name in convolved else value
            laid_out.append(rows(value).contiguous())
        return laid_out
