"""The log lines of callers who have no token, or a wrong one: where they come from, and what they asked for."""

import logging
import time

from semsim_service.core.call import Call
from semsim_service.observing.logs import source_fields

_logins = logging.getLogger("semsim.logins")

LINES_A_SECOND = 10
"""The most lines that a worker writes in a second. Anybody can cause them."""


class FailedLogins:
    """Writes the lines of one worker."""

    def __init__(self) -> None:
        self._second = 0
        self._lines = 0
        self._left_out = 0

    def log(self, call: Call) -> None:
        """Write the line of a request that was refused for its token. A line counts those left out before it."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._lines = second, 0
        if self._lines == LINES_A_SECOND:
            self._left_out += 1
            return
        self._lines += 1
        fields = {"request_id": call.request_id, "transport": call.transport.value, **source_fields(call)}
        _logins.warning("failed login", extra=fields | {"left_out": self._left_out})
        self._left_out = 0
