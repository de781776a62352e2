"""Log lines of the service, BentoML and uvicorn: one JSON object a line on stderr. No line holds any of a body."""

import logging
import sys
import threading
import time
import warnings

import structlog

from semsim_service.core.call import Call, Source

_requests = logging.getLogger("semsim.requests")
_errors = logging.getLogger("semsim.service")

# Only these fields of a record are written: numbers and names of the service. Fields that a library adds are not.
_FIELDS = frozenset(
    {
        "request_id",
        "transport",
        "peer",
        "certificate",
        "path",
        "left_out",
        "code",
        "status",
        "pairs",
        "failed",
        "decode_ms",
        "queue_ms",
        "inference_ms",
        "total_ms",
    }
)
# BentoML gives these loggers handlers of their own.
_OTHERS = ("bentoml", "circus", "uvicorn.error")
# These would write a line for each malformed request, with parts of the request in it: metadata that is not UTF-8, the
# byte that is no multipart, and Pillow, at DEBUG, the values of EXIF tags.
_SILENT = ("grpc._cython.cygrpc", "python_multipart", "PIL")


def configure() -> None:
    """Make every logger of the process write through the root logger, and the root logger write JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)  # BentoML's --debug has set it to DEBUG, for every library
    for name in _OTHERS:
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    logging.getLogger("semsim").setLevel(logging.INFO)
    # Its warnings are a line for each malformed request, and any client can send as many as it likes.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # uvicorn makes a line for each request as soon as a handler would take it.
    logging.getLogger("uvicorn.access").propagate = False
    logging.captureWarnings(True)
    # Broken EXIF tags give thousands of warnings a file, each with a number in its text, and Python keeps every text.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda fault: _log_uncaught(fault.exc_type, fault.exc_value, fault.exc_traceback)


def log_request(call: Call, code: str) -> None:
    """Write one line for a request that is over."""
    timings = call.timings
    _requests.info(
        "request",
        extra={
            "request_id": call.request_id,
            "transport": call.transport.value,
            **source_fields(call.source()),
            "code": code,
            "pairs": call.pairs,
            "failed": call.failed,
            "decode_ms": _milliseconds(timings.decode),
            "queue_ms": _milliseconds(timings.queue),
            "inference_ms": _milliseconds(timings.inference),
            "total_ms": _milliseconds(time.monotonic() - call.began),
        },
    )


def source_fields(source: Source) -> dict[str, str | None]:
    """The fields that say where a request came from."""
    return {"peer": source.peer, "certificate": source.certificate, "path": source.path}


def _formatter() -> structlog.stdlib.ProcessorFormatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(allow=_FIELDS),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # The plain text of a trace. structlog's own form would show the values of local variables.
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )


def _log_uncaught(kind: type[BaseException], value: BaseException | None, trace: object) -> None:
    if issubclass(kind, KeyboardInterrupt) or value is None:
        return
    _errors.critical("uncaught exception", exc_info=value)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1e3, 3)
