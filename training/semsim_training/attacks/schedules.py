"""The step size over an attack, as a factor of the first one."""

from enum import StrEnum

from semsim_training.decay import half_cosine, stepped


class Decay(StrEnum):
    """The ways in which a step size falls."""

    CONSTANT = "constant"
    STEP = "step"
    """Divided by ten at 3/8, 5/8 and 7/8 of the iterations."""
    COSINE = "cosine"
    """Along half a cosine to zero."""


def factor(decay: Decay, iteration: int, iterations: int, warmup: int = 0) -> float:
    """The factor at an iteration, counted from 0. It rises along a line over the first ``warmup`` iterations."""
    rising = min(1.0, (iteration + 1) / warmup) if warmup else 1.0
    match decay:
        case Decay.STEP:
            return rising * stepped(iteration, iterations)
        case Decay.COSINE:
            return rising * half_cosine(iteration, iterations)
        case Decay.CONSTANT:
            return rising
