"""Many clients' gradients of one parameter, as objectives need them: products with a target, norms, or themselves.

A fully connected layer's gradient is an outer product, whose products and norm need no copy of the whole gradient.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semsim_training.gradients.native import call, usable

_SOURCE = Path(__file__).with_name("products.cpp")


class GradientTerm(ABC):
    """The gradients of one parameter tensor for N clients."""

    @abstractmethod
    def dense(self) -> Tensor:
        """The gradients ``(N, out, parameters an output)``; ``out`` is the parameter's first dimension."""

    def products(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """The inner product with ``target`` ``(N, out, rest)`` and the squared norm, each ``(N,)``."""
        dot, square = _Products.apply(self.dense().flatten(1), target.flatten(1))
        return dot, square


@dataclass(frozen=True, slots=True)
class DenseTerm(GradientTerm):
    """Gradients that are kept as they are, ``(N, out, rest)``."""

    values: Tensor

    def dense(self) -> Tensor:
        """The gradients ``(N, out, rest)``."""
        return self.values


@dataclass(frozen=True, slots=True)
class NormalisedTerm(DenseTerm):
    """The weight deltas of one parameter after steps of Adam, ``(N, out, rest)``."""

    second: Tensor
    """Adam's second moments after the last step, ``(N, out, rest)``: constants to autograd."""
    is_matrix: bool
    """True for the weights of a fully connected layer."""


@dataclass(frozen=True)
class OuterTerm(GradientTerm):
    """The weight gradient of a fully connected layer: the sum over rows of ``delta`` (x) ``inputs``."""

    inputs: Tensor
    """The layer's inputs, ``(N, rows, in)``; a row is an image, or a token of one."""
    deltas: Tensor
    """The loss's gradients by the layer's outputs, ``(N, rows, out)``."""

    def dense(self) -> Tensor:
        """The gradients ``(N, out, in)``."""
        return torch.bmm(self.deltas.transpose(1, 2), self.inputs)

    def products(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """The inner product and the squared norm, from the factors where the gradients are larger than these."""
        rows = self.inputs.shape[1]
        if rows * rows > self.inputs.shape[2]:
            return super().products(target)
        dot = (torch.bmm(self.inputs, target.transpose(1, 2)) * self.deltas).sum(dim=(1, 2))
        inputs, deltas = (torch.bmm(t, t.transpose(1, 2)) for t in (self.inputs, self.deltas))
        return dot, (inputs * deltas).sum(dim=(1, 2))


def rows(values: Tensor) -> Tensor:
    """``(N, *parameter)`` as ``(N, out, rest)``; a parameter that is one number has one output."""
    return values[:, None, None] if values.ndim == 1 else values.reshape(*values.shape[:2], -1)


def summed(per_image: Tensor, images: int) -> DenseTerm:
    """The gradients ``(N * images, *parameter)`` of images, summed over the ``images`` of each client."""
    return DenseTerm(rows(per_image if images == 1 else per_image.unflatten(0, (-1, images)).sum(dim=1)))


class _Products(torch.autograd.Function):
    """The row-wise ``<a, b>`` and ``<a, a>``, with one pass each way; ``b`` is a constant."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        a, b = a.contiguous(), b.contiguous()
        ctx.save_for_backward(a, b)
        if not usable(_SOURCE, a):
            # Matrix products write nothing of the rows' size.
            dot, square = (torch.bmm(a[:, None], other[:, :, None]).flatten() for other in (b, a))
            return dot, square
        dot, square = a.new_empty(a.shape[0]), a.new_empty(a.shape[0])
        call(_SOURCE, "products", a, b, dot, square, sizes=tuple(a.shape))
        return dot, square

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        a, b = ctx.saved_tensors
        dot, square = gradients
        if not usable(_SOURCE, a):
            return (a * (2 * square)[:, None]).addcmul_(b, dot[:, None]), None
        by_a = torch.empty_like(a)
        call(_SOURCE, "adjoint", a, b, dot.contiguous(), square.contiguous(), by_a, sizes=tuple(a.shape))
        return by_a, None
