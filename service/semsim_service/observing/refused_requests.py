"""The request log's lines of HTTP requests that are refused before an endpoint sees them."""

import logging
from http import HTTPStatus

from semsim.exceptions import ErrorCode
from semsim_service.core.call import Source, Transport
from semsim_service.observing.limited_lines import LimitedLines
from semsim_service.observing.logs import source_fields

_requests = logging.getLogger("semsim.requests")


class RefusedRequests:
    """Writes the lines of one worker. Nobody was asked for a token yet, so that anybody can cause them."""

    def __init__(self) -> None:
        self._lines = LimitedLines(_requests, logging.INFO, "refused request")

    def log(self, source: Source, code: ErrorCode, status: HTTPStatus) -> None:
        """Write the line of a request that was refused with ``code``, or leave it out where there are too many."""
        fields = {"transport": Transport.HTTP.value, "code": code.value, "status": status.value}
        self._lines.write(lambda: fields | source_fields(source))
