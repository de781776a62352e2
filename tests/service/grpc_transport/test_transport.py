"""The gRPC server listens and stops as it should."""

import queue
import socket
import threading
from contextlib import closing
from pathlib import Path

import grpc
import numpy as np
import pytest

from semsim import Scorer
from semsim.exceptions import InvalidOption
from semsim.protos.inference import grpc_predict_v2_pb2 as oip
from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.grpc_transport import refusing_server, transport
from semsim_service.grpc_transport.gate.gate_listener import listen
from semsim_service.settings import GRPCSettings, Settings
from tests.encoded import picture
from tests.service.grpc_transport.blocking import blocked_network
from tests.service.grpc_transport.certificates import Authority
from tests.service.grpc_transport.running import PATIENCE, Running, error_code, raw_batch, running
from tests.service.live import free_port

IMAGES = np.stack([picture(seed=seed) for seed in range(2)])
GOOD = raw_batch(IMAGES, IMAGES)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that the tests trust."""
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


def credentials(authority: Authority, client: str | None = None) -> grpc.ChannelCredentials:
    """A client that trusts the authority, with a certificate of its own or without."""
    signed = authority.sign(client) if client else None
    return grpc.ssl_channel_credentials(
        authority.certificate.read_bytes(),
        signed and signed.key.read_bytes(),
        signed and signed.certificate.read_bytes(),
    )


def test_tls(small_scorer: Scorer, metrics: ServiceMetrics, authority: Authority) -> None:
    """A client that trusts the server's certificate is served; one that speaks plain text is not."""
    signed = authority.sign("server")
    tls = {"certificate": signed.certificate, "key": signed.key}
    with running(small_scorer, metrics, credentials=credentials(authority), tls=tls) as server:
        assert server.scorer.Score(GOOD).summary.pairs == 2
        with grpc.insecure_channel(server.address) as plain, pytest.raises(grpc.RpcError) as caught:
            plain.unary_unary("/semsim.v1.Scorer/GetModel")(b"")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_mutual_tls(small_scorer: Scorer, metrics: ServiceMetrics, authority: Authority, tmp_path: Path) -> None:
    """A client needs a certificate that the authority signed."""
    signed = authority.sign("server")
    tls = {"certificate": signed.certificate, "key": signed.key, "client_ca": authority.certificate}
    with running(small_scorer, metrics, credentials=credentials(authority, "client"), tls=tls) as server:
        assert server.scorer.Score(GOOD).summary.pairs == 2
        stranger = Authority(tmp_path, "stranger").sign("client")
        wrong = grpc.ssl_channel_credentials(
            authority.certificate.read_bytes(), stranger.key.read_bytes(), stranger.certificate.read_bytes()
        )
        for refused in (credentials(authority), wrong):
            with grpc.secure_channel(server.address, refused) as channel, pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary("/semsim.v1.Scorer/GetModel")(b"")
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        ({"certificate": "x.pem"}, "together"),
        ({"client_ca": "x.pem"}, "beside"),
        ({"certificate": "x.pem", "key": "x.key"}, "readable PEM file"),
    ],
)
def test_certificates_that_cannot_be_used(
    small_scorer: Scorer, metrics: ServiceMetrics, tls: dict[str, str], words: str
) -> None:
    """The start fails with one sentence."""
    with pytest.raises(InvalidOption, match=words), running(small_scorer, metrics, tls=tls):
        pass


def test_addresses_that_cannot_be_used(small_scorer: Scorer, metrics: ServiceMetrics) -> None:
    """A port in use, a host that is no address, and a key that is none stop the start."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = {"port": taken.getsockname()[1]}
        with pytest.raises(InvalidOption, match="free address"), running(small_scorer, metrics, grpc=address):
            pass
    with pytest.raises(InvalidOption, match="IP address"), running(small_scorer, metrics, grpc={"host": "example"}):
        pass


def test_no_port(small_scorer: Scorer, metrics: ServiceMetrics) -> None:
    """Port 0 means no gRPC. A stop then does nothing."""
    with running(small_scorer, metrics, grpc={"port": 0}) as server:
        assert server.transport.port == 0


def test_workers_share_a_port_and_nobody_else() -> None:
    """A single worker must find its port free. Several ask the kernel to share it."""
    grpc_settings = GRPCSettings(port=free_port())
    with closing(listen(Settings(grpc=grpc_settings))), pytest.raises(InvalidOption, match="free address"):
        listen(Settings(grpc=grpc_settings))
    shared = Settings(grpc=GRPCSettings(port=free_port()), workers=2)
    with closing(listen(shared)), closing(listen(shared)):
        pass


def ready(server: Running) -> set[bool]:
    """The answers of ServerReady and ModelReady."""
    service = "/inference.GRPCInferenceService"
    model = oip.ModelReadyRequest(name=server.core.manifest.name).SerializeToString()
    said = server.channel.unary_unary(f"{service}/ServerReady")(b"")
    said_of_model = server.channel.unary_unary(f"{service}/ModelReady")(model)
    return {oip.ServerReadyResponse.FromString(said).ready, oip.ModelReadyResponse.FromString(said_of_model).ready}


def test_a_stop_answers_what_is_in_progress(
    small_scorer: Scorer, metrics: ServiceMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls and a stream's requests are answered, probes say not ready, the stream ends, and no call is taken."""
    with running(small_scorer, metrics) as server, blocked_network(monkeypatch) as go:
        more: queue.SimpleQueue[pb.ScoreStreamRequest | None] = queue.SimpleQueue()
        more.put(pb.ScoreStreamRequest(sequence=4, request=GOOD))
        stream = server.scorer.ScoreStream(iter(more.get, None))
        call = server.scorer.Score.future(GOOD)
        server.wait_for_pairs(4)
        assert ready(server) == {True}
        stopped = threading.Event()
        threading.Thread(target=lambda: (server.run(server.transport.stop(PATIENCE)), stopped.set())).start()
        while ready(server) == {True}:
            assert not stopped.wait(0.01)
        with pytest.raises(grpc.RpcError) as caught:
            server.scorer.Score(GOOD)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert not stopped.is_set()
        go.set()
        assert call.result(PATIENCE).summary.pairs == 2
        assert next(stream).sequence == 4
        with pytest.raises(grpc.RpcError) as caught:
            next(stream)
        assert (caught.value.code(), error_code(caught.value)) == (grpc.StatusCode.UNAVAILABLE, "not_ready")
        assert stopped.wait(PATIENCE)
        more.put(None)


def test_a_stop_cuts_off_what_takes_too_long(
    small_scorer: Scorer, metrics: ServiceMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the grace period, calls in progress are cancelled."""
    with running(small_scorer, metrics) as server, blocked_network(monkeypatch) as go:
        call = server.scorer.Score.future(GOOD)
        assert go.begun.wait(PATIENCE)  # type: ignore[attr-defined]
        server.run(server.transport.stop(0.2))
        with pytest.raises(grpc.RpcError):
            call.result(PATIENCE)


def test_a_stop_under_load_answers_or_sends_away(small_scorer: Scorer, metrics: ServiceMetrics) -> None:
    """Each call of a burst is answered, or refused as unavailable, so that its client may go elsewhere."""
    with running(small_scorer, metrics) as server:
        calls = [server.scorer.Score.future(GOOD) for _ in range(150)]
        assert calls[0].result(PATIENCE).summary.pairs == 2
        server.run(server.transport.stop(PATIENCE))
        outcomes = {call.code() for call in calls}
        assert outcomes <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}


@pytest.mark.parametrize(
    ("failure", "traced"), [(OSError("too many open files"), True), (InvalidOption("expected a free address"), False)]
)
def test_a_server_that_stopped_by_itself_is_started_again(
    small_scorer: Scorer,
    metrics: ServiceMetrics,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    failure: Exception,
    traced: bool,
) -> None:
    """The server comes back with the certificates of its first start, and logs once that this fails at first."""
    signed, serve, failures = authority.sign("again"), transport._serve, iter(range(3))

    async def fail_at_first(*arguments: object) -> object:
        if next(failures, None) is not None:
            raise failure
        return await serve(*arguments)  # type: ignore[arg-type]

    tls = {"certificate": signed.certificate, "key": signed.key}
    with running(small_scorer, metrics, credentials=credentials(authority), tls=tls) as server:
        assert server.scorer.Score(GOOD).summary.pairs == 2
        monkeypatch.setattr(transport, "_serve", fail_at_first)
        signed.key.unlink()
        signed.certificate.unlink()
        assert server.transport._server is not None
        server.run(server.transport._server.stop(0))
        assert server.scorer.Score(GOOD, wait_for_ready=True, timeout=PATIENCE).summary.pairs == 2
    stopped, failed = caplog.records
    assert "is started again" in stopped.message
    assert "could not be started" in failed.message
    assert str(failure) in failed.message
    assert bool(failed.exc_info) == traced


def test_a_grpcio_with_other_hooks_is_told(
    small_scorer: Scorer, metrics: ServiceMetrics, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the hooks by which strange paths are refused, grpcio's own server answers, and the log says so."""
    monkeypatch.setattr(refusing_server, "REFUSES_PATHS", False)
    with running(small_scorer, metrics) as server:
        assert server.scorer.Score(GOOD).summary.pairs == 2
    assert "expected a grpcio like 1.85, got another" in caplog.text
