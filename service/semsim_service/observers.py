"""What is told of every request when it is over: the request log, and tracing."""

from semsim_service.core.call import Call
from semsim_service.logs import log_request
from semsim_service.settings import Settings
from semsim_service.tracing import OTLPTracer, record_call


class Observers:
    """Made once a worker; called by the core."""

    def __init__(self, settings: Settings) -> None:
        self._logs = settings.log.requests
        self._tracer = None if settings.tracing.endpoint is None else OTLPTracer(settings.tracing)

    def __call__(self, call: Call, code: str) -> None:
        """Tell of ``call``, which ended with ``code``."""
        if self._logs:
            log_request(call, code)
        if self._tracer is not None:
            record_call(self._tracer, call, code)

    def close(self) -> None:
        """Send what is not sent yet; takes up to a few seconds."""
        if self._tracer is not None:
            self._tracer.close()
