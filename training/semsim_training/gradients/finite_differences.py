"""A check of derivatives by differences of the function itself.

Autograd's own second derivative can be wrong without an error: a function of the user's that keeps its backward pass
from being differentiated (``once_differentiable``, ``detach``) simply drops out of it.
"""

from collections.abc import Callable

import torch
from torch import Tensor

_STEPS = (1e-6, 1e-8, 1e-4, 1e-3)
"""The steps, in units of ``x``. Short ones cross no kink of a ReLU; long ones stand out of rounding errors.

The first one is enough for nine networks of torchvision and timm at 64 pixels, where 1e-8 drowns in rounding for
EfficientNet, and longer ones cross kinks in half of them.
"""
_TOLERANCE = 5e-3


def holds(function: Callable[[Tensor], Tensor], x: Tensor, by_x: Tensor) -> bool:
    """True where ``by_x`` is the derivative of ``function``, one number, at ``x`` in a seeded random direction.

    A difference over one step that agrees suffices: a derivative without one of its parts agrees over none.
    """
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).to(x)
    expected, scale = float((by_x * direction).sum()), float(torch.linalg.vector_norm(by_x))
    for step in _STEPS:
        ahead, behind = (float(function(x + sign * step * direction)) for sign in (1, -1))
        if abs((ahead - behind) / (2 * step) - expected) <= _TOLERANCE * max(abs(expected), 0.1 * scale):
            return True
    return False
