"""Tells the request log and the traces of every request that is over."""

from semsim_service.core.call import Call
from semsim_service.observing.logs import log_request
from semsim_service.observing.tracing import OTLPTracer, record_call
from semsim_service.settings import Settings


class Observers:
    """The observers of one worker. The core calls them."""

    def __init__(self, settings: Settings) -> None:
        self._logs = settings.log.requests
        self._tracer = None if settings.tracing.endpoint is None else OTLPTracer(settings.tracing)

    def __call__(self, call: Call, code: str) -> None:
        """Log and trace ``call``, which ended with ``code``."""
        if self._logs:
            log_request(call, code)
        if self._tracer is not None:
            record_call(self._tracer, call, code)

    def close(self) -> None:
        """Send the spans that are not sent yet. Takes up to a few seconds."""
        if self._tracer is not None:
            self._tracer.close()
