"""The gradients of many clients of a network that uses parameters outside the layers that are known.

Known layers run once on the images of all clients, as where every layer is known. All else runs for each client by
itself under ``vmap``, with a copy of each *loose* parameter for each client: a class token, a scale, a table of
positions. A known layer leaves ``vmap`` by a function whose rule for ``vmap`` is to run on all clients' images.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from semsim.exceptions import InvalidVictim
from semsim_training.gradients.batchnorm import ClientBatchNorm
from semsim_training.gradients.loss import logits_of
from semsim_training.gradients.shared_layer import SharedLayer
from semsim_training.gradients.shared_weights import SharedWeightGradients

_Run = Callable[[Tensor, int], Tensor]


class LooseParameterGradients(SharedWeightGradients):
    """Every client's gradient, by the parameters of a victim in their order."""

    path = "vmap"

    def __init__(self, model: nn.Module, images: int, *, train_batchnorm: bool) -> None:
        """Prepare clients of ``images`` images; with ``train_batchnorm`` each normalises by its own batch statistics.

        The loose parameters are those of unknown layers, and those that the network uses in another way than by
        running their layers.
        """
        self.loose: set[str] = set()
        super().__init__(model, images, train_batchnorm=train_batchnorm)
        for layer in self.network.modules():
            if isinstance(layer, ClientBatchNorm) and layer not in self._names:
                layer.forward = partial(_outside, layer, partial(_normalised, layer, layer.forward))  # type: ignore[method-assign]

    def _take_unknown(self, layer: nn.Module, names: dict[str, str]) -> None:
        self.loose |= {*names.values()} & {*self.names}

    def _release(self, names: frozenset[str]) -> None:
        """Make parameters of known layers loose, and with them all others of their layers.

        Raises:
            InvalidVictim: one belongs to a batch normalisation, which never runs under ``vmap``.
        """
        for layer in [layer for layer, its in self._names.items() if names & {*its.values()}]:
            if isinstance(layer, ClientBatchNorm):
                raise InvalidVictim(f"expected parameters that are used by {self._prefixes[layer]} only")
            del vars(layer)["forward"]
            self.loose |= {*self._names.pop(layer).values()} & {*self.names}

    def _pass(self, images: Tensor) -> Tensor:
        clients = len(images) // self.images
        self._copies = {name: self._copied(name, clients) for name in sorted(self.loose)}
        logits: Tensor = vmap(self._client)(self._copies, images.unflatten(0, (clients, self.images)))
        return logits.flatten(0, 1)

    def _copied(self, name: str, clients: int) -> Tensor:
        parameter = self.network.get_parameter(name).detach()
        return parameter.expand(clients, *parameter.shape).requires_grad_()

    def _client(self, copies: Mapping[str, Tensor], images: Tensor) -> Tensor:
        return logits_of(functional_call(self.network, dict(copies), (images,)))

    def _run(self, layer: nn.Module, run: SharedLayer, input: Tensor) -> Tensor:
        return _outside(layer, partial(self._run_outside, layer, run), input)

    def _run_outside(self, layer: nn.Module, run: SharedLayer, x: Tensor, clients: int) -> Tensor:
        if isinstance(layer, ClientBatchNorm):
            layer.images = len(x) // clients
        layer_run = run(x, len(x) // clients)
        self._runs.append((layer, layer_run))
        return layer_run.output.clone() if layer in self._overwritten else layer_run.output

    def _check(self, images: Tensor, labels: Tensor) -> None:
        """Make the parameters loose that the network uses in another way than by running the layers that own them."""
        while True:
            try:
                used = frozenset(self._used_elsewhere(images, labels))
            except _WithoutImages as refusal:
                used = frozenset(self._names.get(refusal.layer, {}).values())
                if not used:
                    raise
            if not used - self.loose:
                break
            self._release(used)
        self._checked = True


class _WithoutImages(RuntimeError):
    """A layer runs on what is the same for all clients."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__(f"expected {type(layer).__name__} to run on what depends on the images")
        self.layer = layer


class _Outside(torch.autograd.Function):
    """A layer's run on the tensors of all clients, called by one client under ``vmap``."""

    @staticmethod
    def forward(x: Tensor, layer: nn.Module, run: _Run) -> Tensor:
        raise _WithoutImages(layer)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: the run keeps what its own derivatives need."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, layer: nn.Module, run: _Run) -> tuple[Tensor, int]:
        """Run on ``(clients * rows, ...)``."""
        clients: int = info.batch_size
        output = run(x.movedim(in_dims[0], 0).flatten(0, 1), clients)
        return output.unflatten(0, (clients, -1)), 0


def _outside(layer: nn.Module, run: _Run, x: Tensor) -> Tensor:
    output: Tensor = _Outside.apply(x, layer, run)
    return output


def _normalised(layer: ClientBatchNorm, forward: Callable[[Tensor], Tensor], x: Tensor, clients: int) -> Tensor:
    layer.images = len(x) // clients
    return forward(x)
