"""A collector of OpenTelemetry traces, which takes OTLP over HTTP on a thread."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PATIENCE = 20


class Collector:
    """The requests that have come so far."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.requests: list[ExportTraceServiceRequest] = []

    @property
    def spans(self) -> list[Span]:
        """All spans, in the order in which they came."""
        scopes = (scope for request in self.requests for kind in request.resource_spans for scope in kind.scope_spans)
        return [span for scope in scopes for span in scope.spans]

    def trace(self, trace_id: str, spans: int) -> dict[str, Span]:
        """The spans of a trace by name, once there are so many."""
        deadline = time.monotonic() + PATIENCE
        while True:
            spans_of_trace = [span for span in self.spans if span.trace_id.hex() == trace_id]
            if len(spans_of_trace) >= spans:
                return {span.name: span for span in spans_of_trace}
            assert time.monotonic() < deadline, spans_of_trace
            time.sleep(0.05)


@contextmanager
def collecting() -> Iterator[Collector]:
    """Collect until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector = Collector(f"http://127.0.0.1:{server.server_port}/v1/traces")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def attributes(span: Span) -> dict[str, str | int]:
    """A span's attributes."""
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in span.attributes}
