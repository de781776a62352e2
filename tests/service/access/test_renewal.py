"""Tokens and certificates are exchanged under load, and no request is lost."""

import hashlib
import json
import re
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import grpc
import httpx
import numpy as np
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from semsim.protos.semsim.v1.scorer_pb2_grpc import ScorerStub
from tests.encoded import encode, picture
from tests.service.grpc_transport.certificates import Authority, Signed
from tests.service.grpc_transport.running import raw_batch
from tests.service.guarded import TOKEN, serving_workers
from tests.service.live import LiveService, base64_pair, serving, wait_until

pytestmark = pytest.mark.slow

OTHER = "another-token-of-this-service"
PATIENCE = 20
_IMAGES = np.stack([picture(seed=seed) for seed in range(2)])


@dataclass
class Renewed:
    """A service whose token and certificates the tests exchange."""

    live: LiveService
    directory: Path
    authority: Authority
    caller: Signed
    token: Path
    accepted: str = TOKEN
    """The token that callers use."""
    failures: list[object] = field(default_factory=list)
    answers: int = 0

    def context(self) -> ssl.SSLContext:
        """The trust of a client, and its certificate."""
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        context.load_cert_chain(self.caller.certificate, self.caller.key)
        return context

    def channel(self) -> grpc.Channel:
        """A new gRPC connection."""
        files = self.authority.certificate, self.caller.key, self.caller.certificate
        credentials = grpc.ssl_channel_credentials(*(file.read_bytes() for file in files))
        return grpc.secure_channel(self.live.grpc, credentials, options=[("grpc.use_local_subchannel_pool", 1)])

    def over_http(self, client: httpx.Client, token: str | None = None) -> int:
        """The status of a request for scores."""
        image = encode(_IMAGES[0])
        headers = {"authorization": f"Bearer {token or self.accepted}"}
        return client.post("/score", json={"pairs": [base64_pair(image, image)]}, headers=headers).status_code

    def over_grpc(self, channel: grpc.Channel, token: str | None = None) -> None:
        """Ask for scores."""
        metadata = (("authorization", f"Bearer {token or self.accepted}"),)
        ScorerStub(channel).Score(raw_batch(_IMAGES, _IMAGES), metadata=metadata, timeout=PATIENCE)

    def client(self) -> httpx.Client:
        """A new HTTP client."""
        return httpx.Client(base_url=self.live.url, verify=self.context(), timeout=PATIENCE)

    def shown(self, port: int) -> str:
        """The digest of the certificate that a port shows."""
        with socket.create_connection(("127.0.0.1", port)) as plain:
            context = self.context()
            context.set_alpn_protocols(["h2"])
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
                return hashlib.sha256(secure.getpeercert(binary_form=True) or b"").hexdigest()

    def over_tls(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSession | None:
        """A session of TLS with HTTP, after an answer of the service. None = the service has refused the client."""
        address = "127.0.0.1", int(self.live.url.rpartition(":")[2])
        try:
            with (
                socket.create_connection(address) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as secure,
            ):
                secure.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                return secure.session if secure.recv(4096) else None
        except (ssl.SSLError, ConnectionError):
            return None

    def reload(self, awaited: bytes = b"were read again") -> None:
        """Send SIGHUP to the service, and wait until every worker has done what it asks for."""
        before = self.live.log.count(awaited)
        psutil.Process(self.live.process).send_signal(signal.SIGHUP)
        wait_until(lambda: self.live.log.count(awaited) > before)


@pytest.fixture(scope="module")
def renewed(tmp_path_factory: pytest.TempPathFactory, calibrated_artifact: Path) -> Iterator[Renewed]:
    """A service behind mutual TLS and a token, with an audit log."""
    directory = tmp_path_factory.mktemp("renewed")
    authority = Authority(directory, "authority")
    signed, caller = authority.sign("server"), authority.sign("caller")
    token = directory / "token"
    token.write_text(TOKEN)
    settings = {
        "SEMSIM_ARTIFACT": str(calibrated_artifact),
        "SEMSIM_AUTH__TOKEN_FILE": str(token),
        "SEMSIM_TLS__CERTIFICATE": str(signed.certificate),
        "SEMSIM_TLS__KEY": str(signed.key),
        "SEMSIM_TLS__CLIENT_CA": str(authority.certificate),
        "SEMSIM_LOG__AUDIT_FILE": str(directory / "audit.jsonl"),
    }
    home = directory / "home"
    home.mkdir()
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.load_cert_chain(caller.certificate, caller.key)
    with serving(home, tls=context, **settings) as live:
        yield Renewed(live, directory, authority, caller, token)


@pytest.fixture
def load(renewed: Renewed) -> Iterator[None]:
    """Requests over connections that stay and over new ones, of which none may fail."""
    over = threading.Event()

    def loop(ask: Callable[[], object]) -> None:
        while not over.is_set():
            try:
                status = ask()
            except (httpx.HTTPError, grpc.RpcError) as error:
                renewed.failures.append(error)
                continue
            renewed.answers += 1
            if status not in (None, 200):
                renewed.failures.append(status)

    def over_new_connections() -> None:
        with renewed.client() as client, renewed.channel() as channel:
            status = renewed.over_http(client)
            renewed.over_grpc(channel)
        assert status == 200

    with renewed.client() as client, renewed.channel() as channel:
        asks = (lambda: renewed.over_http(client), lambda: renewed.over_grpc(channel), over_new_connections)
        threads = [threading.Thread(target=loop, args=(ask,)) for ask in asks]
        for thread in threads:
            thread.start()
        wait_until(lambda: renewed.answers > 20)
        yield
        before = renewed.answers
        wait_until(lambda: renewed.answers > before + 20)
        over.set()
        for thread in threads:
            thread.join()
    assert not renewed.failures


def test_a_token_is_exchanged_under_load(renewed: Renewed, load: None) -> None:
    """Both tokens open while callers change from one to the other. Then only the new one does."""
    renewed.token.write_text(f"{TOKEN}\n{OTHER}\n")
    renewed.reload()
    before = renewed.answers
    wait_until(lambda: renewed.answers > before + 10)
    renewed.accepted = OTHER
    before = renewed.answers
    wait_until(lambda: renewed.answers > before + 10)
    renewed.token.write_text(f"{OTHER}\n")
    renewed.reload()
    with renewed.client() as client, renewed.channel() as channel:
        assert renewed.over_http(client, TOKEN) == 401
        with pytest.raises(grpc.RpcError) as refusal:
            renewed.over_grpc(channel, TOKEN)
        assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
    logins = [json.loads(line) for line in renewed.live.log.splitlines() if b"failed login" in line]
    assert [(login["transport"], login["path"], login["certificate"]) for login in logins] == [
        ("http", "/score", "caller"),
        ("grpc", "/semsim.v1.Scorer/Score", "caller"),
    ]
    assert all(login["peer"].startswith("127.0.0.1:") for login in logins)
    assert TOKEN.encode() not in renewed.live.log


def test_a_certificate_is_exchanged_under_load(renewed: Renewed, load: None) -> None:
    """New connections are shown the new certificate, over HTTP and gRPC. Those that are open go on."""
    ports = [int(address.rpartition(":")[2]) for address in (renewed.live.url, renewed.live.grpc)]
    before = {renewed.shown(port) for port in ports}
    renewed.authority.sign("server")
    renewed.reload()
    after = {renewed.shown(port) for port in ports}
    assert len(before) == len(after) == 1
    assert before != after


def test_files_that_cannot_be_used_change_nothing(renewed: Renewed, load: None) -> None:
    """A key that does not fit its certificate, and no token, are told by the log. The service goes on as before."""
    key = renewed.directory / "server.key"
    good, token = key.read_bytes(), renewed.token.read_text()
    key.write_bytes(renewed.caller.key.read_bytes())
    renewed.token.write_text("")
    renewed.reload(b"stays as it was: expected auth.token_file")
    assert b"stays as it was: expected a PEM certificate" in renewed.live.log
    key.write_bytes(good)
    renewed.token.write_text(token)
    renewed.reload()


def test_the_clients_authority_is_exchanged(renewed: Renewed) -> None:
    """After an exchange a certificate of the authority before opens nothing any more, over HTTP and gRPC.

    A session of TLS that began before does not, either.
    """
    authority = Authority(renewed.directory, "second")
    old, client_ca = renewed.caller, renewed.directory / "authority.pem"
    trusted = client_ca.read_bytes()
    renewed.authority.certificate = renewed.directory / "trusted.pem"
    renewed.authority.certificate.write_bytes(trusted)
    contexts = renewed.context(), renewed.context()
    contexts[0].maximum_version = ssl.TLSVersion.TLSv1_2
    sessions = [(context, renewed.over_tls(context)) for context in contexts]
    assert all(session for _, session in sessions)
    client_ca.write_bytes(authority.certificate.read_bytes())
    renewed.reload()
    with renewed.client() as client, pytest.raises(httpx.TransportError):
        renewed.over_http(client)
    with renewed.channel() as channel, pytest.raises(grpc.RpcError):
        renewed.over_grpc(channel)
    assert not any(renewed.over_tls(*begun) for begun in sessions)
    renewed.caller = authority.sign("new")
    with renewed.client() as client, renewed.channel() as channel:
        assert renewed.over_http(client) == 200
        renewed.over_grpc(channel)
    renewed.caller = old
    client_ca.write_bytes(trusted)
    renewed.reload()
    with renewed.client() as client:
        assert renewed.over_http(client) == 200


def test_a_token_is_exchanged_while_a_worker_starts(renewed: Renewed) -> None:
    """A worker that has read the old token, and does not serve yet, reads the new one before it does."""
    before, started = renewed.token.read_text().strip(), b"Service semsim initialized"
    starts = renewed.live.log.count(started)
    (worker,) = serving_workers(renewed.live.process)
    worker.kill()
    wait_until(lambda: renewed.live.log.count(started) > starts)
    renewed.token.write_text("a-token-for-a-new-worker")
    psutil.Process(renewed.live.process).send_signal(signal.SIGHUP)
    with renewed.client() as client:
        wait_until(lambda: renewed.over_http(client, "a-token-for-a-new-worker") == 200)
        assert renewed.over_http(client, before) == 401
        renewed.token.write_text(before)
        renewed.reload()
        assert renewed.over_http(client, before) == 200


def test_the_expiry_is_a_metric_and_a_warning(renewed: Renewed) -> None:
    """The metric tells when the certificates expire. The log warns of those that will within two weeks."""
    with renewed.client() as client:
        families = text_string_to_metric_families(client.get("/metrics").text)
    name = "semsim_certificate_expires_timestamp_seconds"
    ends = {
        sample.labels["file"]: sample.value for family in families for sample in family.samples if sample.name == name
    }
    assert ends.keys() == {"certificate", "client_ca"}
    assert all(0 < end - time.time() < 86_400 for end in ends.values())
    assert b"tls.certificate expires soon" in renewed.live.log


def test_a_certificate_that_has_expired_is_told_at_the_start(tmp_path: Path, calibrated_artifact: Path) -> None:
    """The service starts with it, since clients may not mind. The log warns, and the metric tells when it ended."""
    signed = Authority(tmp_path, "authority").sign("server", ends_in=timedelta(hours=-1))
    settings = {
        "SEMSIM_ARTIFACT": str(calibrated_artifact),
        "SEMSIM_TLS__CERTIFICATE": str(signed.certificate),
        "SEMSIM_TLS__KEY": str(signed.key),
    }
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    home = tmp_path / "home"
    home.mkdir()
    with serving(home, tls=context, **settings) as live:
        warnings = [json.loads(line) for line in live.log.splitlines() if b"tls.certificate" in line]
        metrics = httpx.get(f"{live.url}/metrics", verify=context, timeout=PATIENCE).text
    assert [(line["level"], line["event"].partition(":")[0]) for line in warnings] == [
        ("warning", "tls.certificate has expired")
    ]
    end = re.search(r'semsim_certificate_expires_timestamp_seconds{file="certificate"} (\S+)', metrics)
    assert end is not None
    assert -2 * 3600 < float(end[1]) - time.time() < 0


def test_the_audit_log_says_who_scored_how_many_pairs(renewed: Renewed) -> None:
    """Each request with pairs is a line, also in a file that is made anew once the one before was moved away."""
    audit = renewed.directory / "audit.jsonl"
    with renewed.client() as client, renewed.channel() as channel:
        renewed.over_http(client)
        renewed.over_grpc(channel)
        assert renewed.over_http(client, "a-token-of-nobody") == 401
        old = [json.loads(line) for line in audit.read_text().splitlines()]
        audit.rename(audit.with_suffix(".old"))
        renewed.reload()
        renewed.over_http(client)
    (new,) = [json.loads(line) for line in audit.read_text().splitlines()]
    http, over_grpc = old[-2:]
    assert (http["transport"], http["path"], http["pairs"]) == ("http", "/score", 1)
    assert (over_grpc["transport"], over_grpc["path"], over_grpc["pairs"]) == ("grpc", "/semsim.v1.Scorer/Score", 2)
    for line in (http, over_grpc, new):
        assert line.keys() == {
            *("time", "request_id", "transport", "peer", "certificate", "path", "code", "pairs", "failed")
        }
        assert (line["certificate"], line["code"], line["failed"]) == ("caller", "ok", 0)
    assert audit.stat().st_mode & 0o777 == 0o600
