"""Operations that autograd cannot differentiate twice, computed by equal ones that it can."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

_READS_VALUES = {
    getattr(Tensor, name)
    for name in (
        "__bool__", "__float__", "__int__", "__index__", "item", "tolist", "numpy", "nonzero", "masked_select",
        "unique",
    )
} | {torch.nonzero, torch.masked_select, torch.unique}  # fmt: skip
"""The operations by which a network's course can depend on the values of tensors."""


class ReadsValues(RuntimeError):
    """A network reads the values of tensors, so that clients who share a pass could change each other's."""


class EqualOperations(TorchFunctionMode):
    """Replaces operations within its context; ``Tensor.view`` becomes ``reshape``, which takes any memory layout."""

    def __init__(self) -> None:
        super().__init__()
        self.replaced: set[str] = set()
        """The operations that were replaced so far."""
        self.values_are_read = True
        """False to raise :class:`ReadsValues` where a network reads the values of tensors."""
        self._needed = False
        self._not_needed: set[tuple[torch.Size, ...]] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        equal = _EQUAL.get(func)
        self._needed |= equal is not None or func in _CONCERNED
        if equal is not None:
            self.replaced.add(func.__name__.rstrip("_"))
            return equal(*args, **(kwargs or {}))
        if not self.values_are_read and func in _READS_VALUES:
            raise ReadsValues(f"the network reads values by {func.__name__}")
        if func in _ATTENTION:
            self.replaced.add("fused attention")
        if func in _RECURRENT:
            with torch.backends.cudnn.flags(enabled=False):  # its recurrence has no second derivative
                return func(*args, **(kwargs or {}))
        if func is Tensor.view and not any(isinstance(arg, torch.dtype) for arg in args[1:]) and not kwargs:
            func = Tensor.reshape
        return func(*args, **(kwargs or {}))

    @contextmanager
    def in_use(self, shapes: tuple[torch.Size, ...] = ()) -> Iterator[None]:
        """The context in which operations are replaced; PyTorch's fused attention gives way to its plain form.

        To look at each operation takes a fifth of a small network's time. A pass on inputs of ``shapes`` is left alone
        where one before it had no operation that concerns this class.
        """
        if shapes in self._not_needed:
            yield
            return
        self._needed = False
        with sdpa_kernel(SDPBackend.MATH), self:
            yield
        if shapes and not self._needed:
            self._not_needed.add(shapes)


def use_equal_operations(network: nn.Module) -> None:
    """Make a network's passes use the equal operations from now on."""
    network.forward = partial(_forward, network.forward, EqualOperations())


def operations_of(network: nn.Module) -> EqualOperations:
    """The operations that the passes of an attackable copy use."""
    forward: Any = network.forward
    operations: EqualOperations = forward.args[1]
    return operations


def _forward(forward: Callable[..., Any], operations: EqualOperations, *args: Any, **kwargs: Any) -> Any:
    shapes = tuple(arg.shape for arg in args if isinstance(arg, Tensor))
    with operations.in_use(shapes):
        return forward(*args, **kwargs)


class _HardSigmoid(torch.autograd.Function):
    """PyTorch's function with PyTorch's own first derivative, which can be differentiated once more."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        """``min(max(x + 3, 0), 6) / 6``."""
        return torch.ops.aten.hardsigmoid(x)  # type: ignore[no-any-return]

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        by_x: Tensor = _HardSigmoidSlope.apply(gradients[0], *ctx.saved_tensors)
        return by_x


class _HardSigmoidSlope(torch.autograd.Function):
    """A gradient times the slope, which is constant on either side of two kinks."""

    generate_vmap_rule = True

    @staticmethod
    def forward(gradient: Tensor, x: Tensor) -> Tensor:
        return torch.ops.aten.hardsigmoid_backward(gradient, x)  # type: ignore[no-any-return]

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _HardSigmoidSlope.apply(gradients[0], *ctx.saved_tensors), None


def _hardsigmoid(x: Tensor, inplace: bool = False) -> Tensor:
    output: Tensor = _HardSigmoid.apply(x.clone() if inplace else x)
    return x.copy_(output) if inplace else output  # the network may go on with ``x`` itself


_EQUAL: dict[Any, Callable[..., Tensor]] = {
    F.hardsigmoid: _hardsigmoid,
    torch._C._nn.hardsigmoid: _hardsigmoid,
    torch._C._nn.hardsigmoid_: partial(_hardsigmoid, inplace=True),
}
_ATTENTION = (F.scaled_dot_product_attention, F.multi_head_attention_forward)
_RECURRENT = (torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu)
_CONCERNED = {*_READS_VALUES, *_ATTENTION, *_RECURRENT, Tensor.view}
"""The operations that keep :class:`EqualOperations` in use."""
