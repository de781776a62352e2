"""OpenTelemetry traces: a span for each request, with the spans decode, queue and infer in it.

They are made when the request is over, from times that are taken anyway: tracing adds nothing to a request while it
runs. Where no endpoint is set, OpenTelemetry is not even imported.
"""

import logging
import os
import re
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import semsim
from semsim.exceptions import ErrorCode
from semsim_service.core.call import Call, Span
from semsim_service.settings import TracingSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger("semsim.service")

_NAME = "semsim"
_NANO = 1_000_000_000
# The faults of the service, not of the caller, which an operator wants to see in red.
_FAULTS = frozenset({ErrorCode.INTERNAL, ErrorCode.TIMEOUT, ErrorCode.NOT_READY, ErrorCode.OVERLOADED})
_EXPORT_SECONDS = 5.0
_CLOSE_SECONDS = 3.0


class OTLPTracer:
    """Sends spans to an endpoint, on a thread of its own."""

    def __init__(self, settings: TracingSettings) -> None:
        from opentelemetry.trace import NoOpTracer

        self._provider = _provider(settings)
        self._tracer = self._provider.get_tracer(_NAME, semsim.__version__)
        if isinstance(self._tracer, NoOpTracer):
            logger.warning("tracing.endpoint is set, and so is OTEL_SDK_DISABLED: there will be no traces")

    def record(
        self,
        name: str,
        traceparent: str | None,
        begin: float,
        end: float,
        stages: Sequence[Span],
        attributes: Mapping[str, str | int],
    ) -> None:
        """Emit the spans, as children of the caller's span if it sent one (W3C ``traceparent``)."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        epoch = time.time() - time.monotonic()

        def nanoseconds(monotonic: float) -> int:
            return int((epoch + monotonic) * _NANO)

        context = Context()
        if traceparent is not None:
            context = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, context)
        span = self._tracer.start_span(
            name, context, kind=SpanKind.SERVER, attributes=dict(attributes), start_time=nanoseconds(begin)
        )
        if span.is_recording():
            inside = set_span_in_context(span, context)
            for stage in stages:
                begun = self._tracer.start_span(stage.name, inside, start_time=nanoseconds(stage.begin))
                begun.end(nanoseconds(stage.end))
            if attributes.get("semsim.code") in _FAULTS:
                span.set_status(Status(StatusCode.ERROR))
            span.end(nanoseconds(end))

    def close(self) -> None:
        """Send the spans that are not sent yet, if that takes no longer than a few seconds."""
        # The SDK itself would try for up to a minute to reach a collector that is gone.
        closing = threading.Thread(target=self._provider.shutdown, name="spans", daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)


def record_call(tracer: OTLPTracer, call: Call, code: str) -> None:
    """Record the spans of a request that is over."""
    stages = call.timings.spans
    attributes: dict[str, str | int] = {
        "semsim.request_id": call.request_id,
        "semsim.transport": call.transport.value,
        "semsim.code": code,
        "semsim.pairs": call.pairs,
        "semsim.failed": call.failed,
    }
    tracer.record("score" if stages else "request", call.traceparent, call.began, time.monotonic(), stages, attributes)


def _provider(settings: TracingSettings) -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

    logging.getLogger(OTLPSpanExporter.__module__).addFilter(_hide_query)
    resource = Resource.create(
        {"service.name": _NAME, "service.version": semsim.__version__, "service.instance.id": str(os.getpid())}
    )
    provider = TracerProvider(
        sampler=ParentBasedTraceIdRatio(settings.sample_ratio), resource=resource, shutdown_on_exit=False
    )
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.endpoint, timeout=_EXPORT_SECONDS))
    )
    return provider


def _hide_query(record: logging.LogRecord) -> bool:
    """Take the query out of a line about an address that cannot be reached: it may hold a key."""
    record.msg, record.args = re.sub(r"\?\S+", "?**********", record.getMessage()), ()
    return True
