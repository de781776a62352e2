"""What is told of every request when it is over: the request log, and tracing."""

from service.core.call import Call
from service.logs import log_request
from service.settings import Settings
from service.tracing import NoTracer, make_tracer, record_call


class Observers:
    """Made once a worker; called by the core."""

    def __init__(self, settings: Settings) -> None:
        self._logs = settings.log.requests
        self._tracer = make_tracer(settings.tracing)
        self._traces = not isinstance(self._tracer, NoTracer)

    def __call__(self, call: Call, code: str) -> None:
        """Tell of ``call``, which ended with ``code``."""
        if self._logs:
            log_request(call, code)
        if self._traces:
            record_call(self._tracer, call, code)

    def close(self) -> None:
        """Send what is not sent yet; takes up to a few seconds."""
        self._tracer.close()
