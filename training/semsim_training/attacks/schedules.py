"""The step size over an attack, as a factor of the first one."""

from enum import StrEnum

from semsim_training.decay import half_cosine


class Decay(StrEnum):
    """The ways in which a step size falls."""

    CONSTANT = "constant"
    STEP = "step"
    """Divided by ten at about 3/8, 5/8 and 7/8 of the iterations, as the reference attacks' codes round them."""
    COSINE = "cosine"
    """Along half a cosine to zero."""


_STEPS = (2.667, 1.6, 1.142)
"""The reference attacks divide the number of iterations by these, and drop the rest."""


def factor(decay: Decay, iteration: int, iterations: int, warmup: int = 0) -> float:
    """The factor at an iteration, counted from 0.

    With a ``warmup`` it rises along a line from zero to one over so many iterations and stays there for one more; a
    cosine starts after it and has not come to its end at the last iteration, as in the breaching framework.
    """
    if warmup and iteration <= warmup:
        return iteration / warmup
    past = iteration - (warmup + 1 if warmup else 0)
    match decay:
        case Decay.STEP:
            return float(0.1 ** sum(past >= iterations // share for share in _STEPS))
        case Decay.COSINE:
            return half_cosine(past, iterations)
        case Decay.CONSTANT:
            return 1.0
