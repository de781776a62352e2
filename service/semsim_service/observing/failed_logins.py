"""The log lines of callers who have no token, or a wrong one: where they come from, and what they asked for."""

import logging

from semsim_service.core.call import Call
from semsim_service.observing.limited_lines import LimitedLines
from semsim_service.observing.logs import source_fields

_logins = logging.getLogger("semsim.logins")


class FailedLogins:
    """Writes the lines of one worker."""

    def __init__(self) -> None:
        self._lines = LimitedLines(_logins, logging.WARNING, "failed login")

    def log(self, call: Call) -> None:
        """Write the line of a request that was refused for its token, or leave it out where there are too many."""
        self._lines.write(
            lambda: {
                "request_id": call.request_id,
                "transport": call.transport.value,
                **source_fields(call.source()),
            }
        )
