"""The fall of a learning rate or a step size over a run, as a factor of the first one."""

import math


def stepped(position: float, total: float) -> float:
    """One, divided by ten at 3/8, 5/8 and 7/8 of ``total``."""
    return float(0.1 ** sum(position >= total * eighths / 8 for eighths in (3, 5, 7)))


def half_cosine(position: float, total: float = 1.0) -> float:
    """Half a cosine, from one to zero over ``total``."""
    return 0.5 * (1 + math.cos(math.pi * position / total))


def warm_up(share: float) -> float:
    """A line from nearly nothing up to one over the first twentieth of a run, of which ``share`` is done."""
    return min(1.0, (share + 1e-3) / 0.05)
