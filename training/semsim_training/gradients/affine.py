"""``y = x * scale + shift``, a scale and a shift for each image and channel: evaluated batch normalisation.

The loss's gradients by scale and shift are those of a batch normalisation's parameters, for each image. The derivatives
are written out, so that each pass reads its images once (``affine.cpp``) or is one or two of PyTorch's operations.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semsim_training.gradients.native import call, usable

_SOURCE = Path(__file__).with_name("affine.cpp")


def affine(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """The map of ``x`` ``(B, C, ...)`` by ``scale`` and ``shift`` ``(B, C)``; differentiable twice by ``x``."""
    if x.ndim != 4:
        return affine(x.reshape(*x.shape[:2], -1, 1), scale, shift).reshape(x.shape)
    return _AffineForward.apply(x.contiguous(memory_format=torch.channels_last), scale, shift)[0]  # type: ignore[no-any-return]


class _AffineForward(torch.autograd.Function):
    """The map, and ``x`` once more, so that what the second derivative adds by ``x`` comes back in the same pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, scale)
        return _affine(x, scale, shift), x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        by_output, by_x = gradients
        x, scale = ctx.saved_tensors
        if by_output is None:
            return by_x, None, None
        if by_x is None:
            adjoint: tuple[Tensor, ...] = _AffineAdjoint.apply(by_output, x, scale)
            return adjoint
        return _affine(by_output, scale, by_x), None, None


class _AffineAdjoint(torch.autograd.Function):
    """The gradients of :class:`_AffineForward` by ``x``, ``scale`` and ``shift``."""

    @staticmethod
    def forward(ctx: Any, delta: Tensor, x: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        delta = delta.contiguous(memory_format=torch.channels_last)
        ctx.save_for_backward(delta, x, scale)
        if not usable(_SOURCE, x):
            return delta * scale[:, :, None, None], (delta * x).sum(dim=(2, 3)), delta.sum(dim=(2, 3))
        by_x, by_scale, by_shift = torch.empty_like(x), torch.empty_like(scale), torch.empty_like(scale)
        call(_SOURCE, "adjoint", delta, x, scale, by_x, by_scale, by_shift, sizes=_sizes(x))
        return by_x, by_scale, by_shift

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        delta, x, scale = ctx.saved_tensors
        to_x, to_scale, to_shift = gradients
        to_x = to_x.contiguous(memory_format=torch.channels_last)
        if not usable(_SOURCE, x):
            scale, to_scale, to_shift = (value[:, :, None, None] for value in (scale, to_scale, to_shift))
            return torch.addcmul(to_shift, x, to_scale).addcmul_(to_x, scale), to_scale * delta, None
        by_delta, by_x = torch.empty_like(x), torch.empty_like(x)
        sums = (to_scale.contiguous(), to_shift.contiguous())
        call(_SOURCE, "second", to_x, *sums, delta, x, scale, by_delta, by_x, sizes=_sizes(x))
        return by_delta, by_x, None


def _affine(x: Tensor, scale: Tensor, added: Tensor) -> Tensor:
    """``x * scale + added``; ``added`` is a shift ``(B, C)``, or an image like ``x``."""
    x = x.contiguous(memory_format=torch.channels_last)
    if not usable(_SOURCE, x):
        return torch.addcmul(added if added.ndim == x.ndim else added[:, :, None, None], x, scale[:, :, None, None])
    y = torch.empty_like(x)
    if added.ndim == x.ndim:
        added = added.contiguous(memory_format=torch.channels_last)
    call(_SOURCE, "affine_added" if added.ndim == x.ndim else "affine", x, scale, added, y, sizes=_sizes(x))
    return y


def _sizes(x: Tensor) -> tuple[int, int, int]:
    """Images, pixels and channels, as the C++ functions take them."""
    return x.shape[0], x.shape[2] * x.shape[3], x.shape[1]
