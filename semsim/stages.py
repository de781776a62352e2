"""The stages of scoring, a clock of the time that each takes, and the pauses in which somebody may end them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum


class Stage(StrEnum):
    """The steps from two encoded images to their numbers."""

    DECODE = "decode"
    RESIZE = "resize"
    NETWORK = "network"
    METRICS = "metrics"


Pause = Callable[[], object]
"""A function that is called between two pieces of work of some milliseconds. An error that it raises ends the work."""


def go_on() -> None:
    """The pause of work that nobody ends."""


class StageClock:
    """Adds up wall-clock seconds by stage. Only one thread may use a clock."""

    def __init__(self) -> None:
        self.seconds: dict[Stage, float] = dict.fromkeys(Stage, 0.0)

    @contextmanager
    def measure(self, stage: Stage) -> Iterator[None]:
        """Add the duration of the ``with`` block to ``stage``, also when it raises."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - start
