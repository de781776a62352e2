"""Values minus their mean, over their deviation: layer, group and instance normalisation without their parameters.

PyTorch's second derivatives of these are dozens of small operations. Here each derivative is one function
(``standardised.cpp``). With the result ``y``, the gradient by ``x`` is the projection
``(delta - mean(delta) - y mean(y delta)) / deviation`` (Ba et al., 2016, arXiv 1607.06450, supplement), and its own
gradients are written out below.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semsim_training.gradients.native import call, usable

_SOURCE = Path(__file__).with_name("standardised.cpp")


def standardised(x: Tensor, epsilon: float) -> Tensor:
    """``x`` ``(B, pixels, groups, channels)``, contiguous, standardised over pixels and channels; twice differentiable.

    ``epsilon`` is added to the variance, which is the biased one.
    """
    return _Standardised.apply(x.contiguous(), epsilon)  # type: ignore[no-any-return]


class _Standardised(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, epsilon: float) -> Tensor:
        if usable(_SOURCE, x):
            y, inverse = torch.empty_like(x), x.new_empty(x.shape[0], 1, x.shape[2], 1)
            call(_SOURCE, "forward", x, x.new_tensor([epsilon]), y, inverse, sizes=tuple(x.shape))
        else:
            variance, mean = torch.var_mean(x, dim=(1, 3), correction=0, keepdim=True)
            inverse = (variance + epsilon).rsqrt()
            y = (x - mean) * inverse
        ctx.save_for_backward(x, y.detach(), inverse)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, y, inverse = ctx.saved_tensors
        return _Adjoint.apply(gradients[0].contiguous(), x, y, inverse), None


class _Adjoint(torch.autograd.Function):
    """The gradient of :class:`_Standardised` by ``x``, on which ``y`` and ``inverse`` depend."""

    @staticmethod
    def forward(ctx: Any, delta: Tensor, x: Tensor, y: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(delta, y, inverse)
        if usable(_SOURCE, y):
            by_x = torch.empty_like(y)
            call(_SOURCE, "adjoint", delta, y, inverse, by_x, sizes=tuple(y.shape))
            return by_x
        return inverse * (delta - _mean(delta) - y * _mean(delta * y))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        delta, y, inverse = ctx.saved_tensors
        to = gradients[0].contiguous()
        if usable(_SOURCE, y):
            by_delta, by_x = torch.empty_like(y), torch.empty_like(y)
            call(_SOURCE, "second", to, delta, y, inverse, by_delta, by_x, sizes=tuple(y.shape))
            return by_delta, by_x, None, None
        to_along, along, to_mean, mean = (_mean(t) for t in (to * y, delta * y, to, delta))
        both = _mean(to * delta) - to_mean * mean - 3 * to_along * along
        by_x = -inverse.square() * (along * (to - to_mean) + to_along * (delta - mean) + both * y)
        return inverse * (to - to_mean - y * to_along), by_x, None, None


def _mean(values: Tensor) -> Tensor:
    return values.mean(dim=(1, 3), keepdim=True)
