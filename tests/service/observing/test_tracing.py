"""Traces show a request with its stages."""

import socket
import threading
import time

import pytest

from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim.protos.semsim.v1.scorer_pb2_grpc import ScorerStub
from semsim_service.core.call import Span
from semsim_service.observing import tracing
from semsim_service.observing.tracing import OTLPTracer
from semsim_service.settings import TracingSettings
from tests.encoded import encode, picture
from tests.service.guarded import AUTHORIZATION, Guarded
from tests.service.live import base64_pair, free_port
from tests.service.observing.collector import Collector, attributes, collecting

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
STAGES = [Span("decode", 10.0, 10.25), Span("queue", 10.25, 10.5), Span("infer", 10.5, 11.0)]


def traceparent(trace: str = TRACE, *, sampled: bool = True) -> str:
    """The header of a caller's trace."""
    return f"00-{trace}-{PARENT}-0{int(sampled)}"


def record(collector: Collector, ratio: float, parent: str | None, code: str = "ok") -> None:
    """Record a request that ended, and send its spans."""
    tracer = OTLPTracer(TracingSettings(endpoint=collector.endpoint, sample_ratio=ratio))
    tracer.record("score", parent, 10.0, 11.5, STAGES, {"semsim.code": code, "semsim.pairs": 3})
    tracer.close()


def test_a_request_is_a_span_with_its_stages() -> None:
    """A span has the times, attributes, parent and status given, and is sent by the time that the tracer is closed."""
    with collecting() as collector:
        before = time.time_ns()
        record(collector, 0, traceparent(), "timeout")
        spans = collector.trace(TRACE, 4)
        elapsed = time.time_ns() - before
    score = spans.pop("score")
    assert score.parent_span_id.hex() == PARENT
    assert score.end_time_unix_nano - score.start_time_unix_nano == pytest.approx(1.5e9, abs=1e3)
    assert attributes(score) == {"semsim.code": "timeout", "semsim.pairs": 3}
    assert score.status.code == score.status.STATUS_CODE_ERROR
    for stage in STAGES:
        begin, end, span = stage.begin, stage.end, spans[stage.name]
        assert span.parent_span_id == score.span_id
        assert span.start_time_unix_nano - score.start_time_unix_nano == pytest.approx((begin - 10) * 1e9, abs=1e3)
        assert span.end_time_unix_nano - span.start_time_unix_nano == pytest.approx((end - begin) * 1e9, abs=1e3)
    # The clock of the spans is the wall's: 10 s of the other were at the machine's start.
    now = before - int((time.monotonic() - 10) * 1e9)
    assert score.start_time_unix_nano == pytest.approx(now, abs=elapsed + 1e9)
    resource = collector.requests[0].resource_spans[0].resource
    assert ("service.name", "semsim") in [(pair.key, pair.value.string_value) for pair in resource.attributes]


def test_the_callers_decision_wins_over_the_ratio() -> None:
    """A caller's trace is kept or dropped as the caller says. A trace without a caller follows the ratio."""
    with collecting() as collector:
        record(collector, 1, traceparent(sampled=False))
        record(collector, 0, None)
        assert not collector.spans
        record(collector, 1, None)
        record(collector, 1, "not a traceparent")
        assert len(collector.spans) == 8
        assert len({span.trace_id for span in collector.spans}) == 2


def test_a_live_service_traces_both_transports(guarded: Guarded) -> None:
    """A request over HTTP and one over gRPC join their callers' traces, with where their time went."""
    over_http, over_grpc = "a" * 32, "b" * 32
    image = encode(picture())
    with guarded.client() as client:
        headers = {"traceparent": traceparent(over_http), "x-request-id": "traced"}
        assert client.post("/score", json={"pairs": [base64_pair(image, image)]}, headers=headers).status_code == 200
    request = pb.ScoreRequest(pairs=[pb.Pair(original=pb.Image(encoded=image), reconstruction=pb.Image(encoded=image))])
    with guarded.channel() as channel:
        metadata = (("authorization", AUTHORIZATION), ("traceparent", traceparent(over_grpc)))
        ScorerStub(channel).Score(request, metadata=metadata, timeout=20)
    for trace, transport in ((over_http, "http"), (over_grpc, "grpc")):
        spans = guarded.collector.trace(trace, 4)
        assert set(spans) == {"score", "decode", "queue", "infer"}
        score = spans["score"]
        assert score.parent_span_id.hex() == PARENT
        assert (
            attributes(score).items() >= {"semsim.transport": transport, "semsim.code": "ok", "semsim.pairs": 1}.items()
        )
        for name in ("decode", "queue", "infer"):
            inside = spans[name]
            assert score.start_time_unix_nano <= inside.start_time_unix_nano <= inside.end_time_unix_nano
            assert inside.end_time_unix_nano <= score.end_time_unix_nano
    assert attributes(guarded.collector.trace(over_http, 4)["score"])["semsim.request_id"] == "traced"


def test_a_collector_that_is_gone_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing gives up waiting for a collector that takes the connection and never answers."""
    monkeypatch.setattr(tracing, "_CLOSE_SECONDS", 0.2)
    monkeypatch.setattr(tracing, "_EXPORT_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        tracer = OTLPTracer(TracingSettings(endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces"))
        tracer.record("score", None, 10.0, 11.0, STAGES, {})
        begin = time.monotonic()
        tracer.close()
        assert 0.2 <= time.monotonic() - begin < 1.0
        for thread in threading.enumerate():
            if thread.name == "spans":  # it would write to the log of a later test
                thread.join()


def test_traces_that_the_environment_turns_off_are_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """OpenTelemetry's own variable OTEL_SDK_DISABLED turns traces off, which one line of the log says."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with collecting() as collector, caplog.at_level("WARNING", "semsim.service"):
        record(collector, 1, None)
        assert not collector.spans
    assert len([record for record in caplog.records if record.name == "semsim.service"]) == 1


def test_the_key_of_a_collector_is_not_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The lines about a collector that cannot be reached have its address without the query."""
    monkeypatch.setattr(tracing, "_EXPORT_SECONDS", 2.0)
    tracer = OTLPTracer(TracingSettings(endpoint=f"http://127.0.0.1:{free_port()}/v1/traces?key=secret"))
    tracer.record("score", None, 10.0, 11.0, STAGES, {})
    tracer.close()
    assert "/v1/traces?**********" in caplog.text
    assert "secret" not in caplog.text
