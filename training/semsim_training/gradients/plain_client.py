"""Clients' computations by plain autograd on the victim as it is, to hold faster ones against."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from semsim.exceptions import InvalidVictim, SemSimError
from semsim_training.gradients.attackable import independent_copy, trained_names
from semsim_training.gradients.loss import client_losses, logits_of


def _keep_gradients_contiguous(layer: nn.Module, args: object, output: Tensor) -> None:
    """Spare a batch normalisation what PyTorch's kernel gets wrong.

    Its gradients are those of other channels where one image enters and the loss's gradient comes transposed, as from
    the tokens behind a convolution (PyTorch 2.15 on a CPU).
    """
    if output.requires_grad:
        output.register_hook(Tensor.contiguous)


class DoesNotRun(InvalidVictim):
    """A network raises an error on images."""


class PlainClient:
    """A client's gradient by the parameters that are trained, and the image gradient of that."""

    def __init__(self, model: nn.Module, *, train_batchnorm: bool) -> None:
        """Prepare a copy of the model; with ``train_batchnorm`` batch normalisation normalises by the batch."""
        self.network = independent_copy(model).eval().requires_grad_(False)
        for module in self.network.modules():
            module._compiled_call_impl = None
            if isinstance(module, nn.SyncBatchNorm):
                module.__class__ = nn.BatchNorm2d  # type: ignore[assignment]  # one client synchronises nothing
            if isinstance(module, _BatchNorm):
                module.train(train_batchnorm).register_forward_hook(_keep_gradients_contiguous)
        self.names = trained_names(model)
        self._parameters = [self.network.get_parameter(name).requires_grad_() for name in self.names]

    def gradient(self, pixels: Tensor, labels: Tensor, *, differentiable: bool = False) -> list[Tensor]:
        """The gradient of the mean cross-entropy of ``(n, C, H, W)``, in the order of ``names``."""
        loss = client_losses(logits_of(self.network(pixels)), labels, len(pixels))[0]
        by_parameters: Sequence[Tensor] = torch.autograd.grad(
            loss, self._parameters, create_graph=differentiable, materialize_grads=True
        )
        return list(by_parameters)

    def image_gradient(self, pixels: Tensor, labels: Tensor, directions: Sequence[Tensor]) -> Tensor:
        """The gradient by ``(n, C, H, W)`` of the sum of the gradient's products with ``directions``.

        Raises:
            RuntimeError: an operation of the network has no second derivative.
        """
        pixels = pixels.clone().requires_grad_()
        return by_images(self.gradient(pixels, labels, differentiable=True), directions, pixels)

    def steady_logits(self, pixels: Tensor) -> Tensor:
        """The logits of ``(n, C, H, W)``, after a check that a second call gives the same.

        Raises:
            InvalidVictim: the network does not take such images, gives no logits, draws random numbers, or changes
                from call to call.
        """
        try:
            first = logits_of(self.network(pixels))  # fills what the network keeps for later calls
            before = {name: value.clone() for name, value in self.network.named_buffers()}
            second = logits_of(self.network(pixels))
        except SemSimError:
            raise
        except Exception as error:  # the network is the user's, and raises what it likes
            shape = " x ".join(map(str, pixels.shape[1:]))
            raise DoesNotRun(
                f"expected a network that takes images of {shape}, got {type(error).__name__}: {error}"
            ) from error
        if not torch.allclose(first, second, rtol=1e-6, atol=1e-9, equal_nan=True):
            raise InvalidVictim(
                f"expected the same logits of the same images from {type(self.network).__name__} in evaluation mode, "
                f"got others in a second call, from {self._unsteady(pixels)}"
            )
        norms = {name for name, layer in self.network.named_modules() if isinstance(layer, _BatchNorm)}
        for name, value in self.network.named_buffers():
            if name.rpartition(".")[0] not in norms and not torch.equal(value, before[name]):
                raise InvalidVictim(f"expected buffers that evaluation leaves alone, got another {name} after a call")
        return first.detach()

    @torch.no_grad()
    def _unsteady(self, pixels: Tensor) -> str:
        """The innermost layer that gives something else when it gets the same a second time."""
        entered: dict[nn.Module, tuple[object, ...]] = {}

        def record(layer: nn.Module, args: tuple[object, ...]) -> None:
            entered.setdefault(layer, args)

        hooks = [layer.register_forward_pre_hook(record) for layer in self.network.modules()]
        self.network(pixels)
        for hook in hooks:
            hook.remove()
        for name, layer in reversed(list(self.network.named_modules())):
            if name and layer in entered:
                first, second = (layer(*entered[layer]) for _ in range(2))
                if isinstance(first, Tensor) and not torch.equal(first, second):
                    return f"{name} ({type(layer).__name__})"
        return "its own forward"


def by_images(terms: Sequence[Tensor], directions: Sequence[Tensor], pixels: Tensor) -> Tensor:
    """The gradient by ``pixels`` of the sum of the terms' products with ``directions`` of the same shapes."""
    function = torch.stack([(term * by).sum() for term, by in zip(terms, directions, strict=True)]).sum()
    refuse_once_differentiable(function)
    return torch.autograd.grad(function, pixels)[0]


def refuse_once_differentiable(value: Tensor) -> None:
    """Raise the error that autograd keeps to itself where a gradient is taken by some tensors only.

    Raises:
        RuntimeError: ``value`` depends on the backward pass of a function that is marked ``once_differentiable``.
    """
    seen, waiting = set(), [value.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        if node.name().endswith("Error"):
            raise RuntimeError("a function is marked with once_differentiable")
        seen.add(node)
        waiting += [following for following, _ in node.next_functions]


@contextmanager
def own_randomness() -> Iterator[None]:
    """A context that leaves PyTorch's random numbers outside as they were."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
