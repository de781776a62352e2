"""Log lines that anybody can cause: a few a second, which count those left out."""

import logging
import time
from collections.abc import Callable, Mapping

LINES_A_SECOND = 10
"""The most lines of one kind that a worker writes in a second."""


class LimitedLines:
    """Writes the lines of one kind of one worker.

    Args:
        logger: where to.
        level: their level, such as ``logging.INFO``.
        event: their text.
    """

    def __init__(self, logger: logging.Logger, level: int, event: str) -> None:
        self._logger, self._level, self._event = logger, level, event
        self._second = 0
        self._lines = 0
        self._left_out = 0

    def write(self, fields: Callable[[], Mapping[str, object]]) -> None:
        """Write a line with ``fields``, or leave it out. A line counts those left out before it, as ``left_out``."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._lines = second, 0
        if self._lines == LINES_A_SECOND:
            self._left_out += 1
            return
        self._lines += 1
        self._logger.log(self._level, self._event, extra={**fields(), "left_out": self._left_out})
        self._left_out = 0
