"""Tells the request log, the audit log and the traces of every request that is over."""

from semsim.exceptions import ErrorCode
from semsim_service.core.call import Call
from semsim_service.observing.audit_log import AuditLog
from semsim_service.observing.failed_logins import FailedLogins
from semsim_service.observing.logs import log_request
from semsim_service.observing.tracing import OTLPTracer, record_call
from semsim_service.settings import Settings


class Observers:
    """The observers of one worker. The core calls them.

    Raises:
        InvalidOption: the audit log cannot be opened.
    """

    def __init__(self, settings: Settings) -> None:
        self._logs = settings.log.requests
        self._logins = FailedLogins()
        self._audit = None if settings.log.audit_file is None else AuditLog(settings.log.audit_file)
        self._tracer = None if settings.tracing.endpoint is None else OTLPTracer(settings.tracing)

    def __call__(self, call: Call, code: str) -> None:
        """Log and trace ``call``, which ended with ``code``."""
        if self._logs:
            log_request(call, code)
        if code == ErrorCode.UNAUTHENTICATED:
            self._logins.log(call)
        if self._audit is not None and call.pairs:
            self._audit.write(call, code)
        if self._tracer is not None:
            record_call(self._tracer, call, code)

    def reopen(self) -> None:
        """Open the audit log again, which may have been moved away.

        Raises:
            InvalidOption: it cannot be opened. The file before stays in use.
        """
        if self._audit is not None:
            self._audit.reopen()

    def close(self) -> None:
        """Send the spans that are not sent yet. Takes up to a few seconds."""
        if self._audit is not None:
            self._audit.close()
        if self._tracer is not None:
            self._tracer.close()
