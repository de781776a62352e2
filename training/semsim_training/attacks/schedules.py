"""The step size over an attack, as a factor of the first."""

import math
from enum import StrEnum


class Decay(StrEnum):
    """How the step size falls."""

    CONSTANT = "constant"
    STEP = "step"
    """By ten at 3/8, 5/8 and 7/8 of the iterations."""
    COSINE = "cosine"
    """Half a cosine, to zero."""


def factor(decay: Decay, iteration: int, iterations: int, warmup: int = 0) -> float:
    """The factor at an iteration, counted from 0; rises linearly over ``warmup`` iterations first."""
    rising = min(1.0, (iteration + 1) / warmup) if warmup else 1.0
    match decay:
        case Decay.STEP:
            passed = sum(iteration >= iterations * eighths / 8 for eighths in (3, 5, 7))
            return rising * float(0.1**passed)
        case Decay.COSINE:
            return rising * 0.5 * (1 + math.cos(math.pi * iteration / iterations))
        case Decay.CONSTANT:
            return rising
