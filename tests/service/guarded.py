"""A service with all that guards and watches it: two workers, mutual TLS, a token, request log and traces."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.service.grpc_transport.certificates import Authority, Signed
from tests.service.live import LiveService, serving
from tests.service.observing.collector import Collector, collecting

TOKEN = "a-token-that-nobody-guesses"  # noqa: S105
WORKERS = 2
AUTHORIZATION = f"Bearer {TOKEN}"


@dataclass(frozen=True)
class Guarded:
    """The service, and all that its callers need."""

    live: LiveService
    collector: Collector
    authority: Authority
    caller: Signed

    def trust(self, *, certificate: bool = True) -> ssl.SSLContext:
        """The certificates that a client trusts, and its own unless told otherwise."""
        return _trust(self.authority, self.caller if certificate else None)

    def client(self) -> httpx.Client:
        """A client with a certificate, the token and new connections."""
        return httpx.Client(
            base_url=self.live.url, verify=self.trust(), headers={"authorization": AUTHORIZATION}, timeout=60
        )

    def channel(self, *, certificate: bool = True) -> grpc.Channel:
        """A new gRPC connection."""
        key, chain = (self.caller.key, self.caller.certificate) if certificate else (None, None)
        credentials = grpc.ssl_channel_credentials(
            self.authority.certificate.read_bytes(), key and key.read_bytes(), chain and chain.read_bytes()
        )
        return grpc.secure_channel(self.live.grpc, credentials, options=[("grpc.use_local_subchannel_pool", 1)])

    @property
    def metrics(self) -> Path:
        """The directory in which the workers keep their numbers."""
        return self.live.home / "prometheus_multiproc_dir"

    def workers(self) -> list[psutil.Process]:
        """The processes that answer requests."""
        return serving_workers(self.live.process)

    def total(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels, read over a new connection."""
        with self.client() as client:
            text = client.get("/metrics").text
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())


def serving_workers(supervisor: int) -> list[psutil.Process]:
    """The processes that answer requests, below the one that started them."""
    children = psutil.Process(supervisor).children(recursive=True)
    return [child for child in children if "_bentoml_impl.worker.service" in " ".join(child.cmdline())]


@contextmanager
def guarding(directory: Path, artifact: Path) -> Iterator[Guarded]:
    """Serve until the block ends."""
    authority = Authority(directory, "authority")
    server, caller = authority.sign("server"), authority.sign("caller")
    token_file = directory / "token"
    token_file.write_text(TOKEN + "\n")
    home = directory / "home"
    home.mkdir()
    with collecting() as collector:
        settings = {
            "SEMSIM_ARTIFACT": str(artifact),
            "SEMSIM_WORKERS": str(WORKERS),
            "SEMSIM_AUTH__TOKEN_FILE": str(token_file),
            "SEMSIM_TLS__CERTIFICATE": str(server.certificate),
            "SEMSIM_TLS__KEY": str(server.key),
            "SEMSIM_TLS__CLIENT_CA": str(authority.certificate),
            "SEMSIM_LOG__REQUESTS": "true",
            "SEMSIM_TRACING__ENDPOINT": collector.endpoint,
            "SEMSIM_TRACING__SAMPLE_RATIO": "0",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        with serving(home, tls=_trust(authority, caller), **settings) as live:
            yield Guarded(live, collector, authority, caller)


def _trust(authority: Authority, caller: Signed | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    if caller is not None:
        context.load_cert_chain(caller.certificate, caller.key)
    return context
