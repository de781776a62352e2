"""The hooks by which BentoML hosts the service: its options, and the set-up at the import of the service."""

import os
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from semsim.exceptions import SemSimError
from semsim_service.host import bentoml_faults
from semsim_service.host.home import claim_home
from semsim_service.host.process import Supervisor, Worker, serving_process
from semsim_service.http.malformed import answer_malformed_in_envelope
from semsim_service.observing import logs
from semsim_service.settings import Settings, TLSSettings, load_settings

# BentoML's own choice for TLS 1.2, "TLSv1", is CBC and SHA-1 only. The ciphers of TLS 1.3 are not chosen here.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


def bentoml_options() -> dict[str, Any]:
    """The arguments of ``@bentoml.service`` that follow from the settings.

    The service is also imported where nothing is served. Settings that cannot be read count as defaults here, because
    :func:`semsim_service.host.preflight.check_deployment` refuses them.
    """
    try:
        settings = load_settings()
    except SemSimError:
        settings = Settings.model_construct()
    return {**bentoml_faults.QUIET, "workers": settings.workers, **_tls_options(settings.tls)}


def prepare() -> None:
    """Set up the process before BentoML builds anything, if it is one of a server's.

    `bentoml serve` imports the service before it empties the metrics of its home, and a worker imports it before it
    builds its application.
    """
    process = serving_process()
    if process is None:
        return
    logs.configure()
    if isinstance(process, Worker):
        bentoml_faults.drop_middlewares()
        answer_malformed_in_envelope()
    if isinstance(process, Supervisor):
        # Both variables are for the workers. gRPC's C++ would write a line of another form for each failure of TLS.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        # One heap serves all threads. glibc never gives back the end of the other heaps, and each would creep up to the
        # largest size that its threads have held at once.
        os.environ.setdefault("MALLOC_ARENA_MAX", "1")
        from bentoml._internal.configuration.containers import BentoMLContainer

        with refusing():
            claim_home(Path(BentoMLContainer.bentoml_home.get()))


@contextmanager
def refusing() -> Iterator[None]:
    """A block whose errors of the project end the process as they end a command: with one line and exit code 2."""
    try:
        yield
    except SemSimError as error:
        print(f"error [{error.code}]: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def _tls_options(tls: TLSSettings) -> dict[str, Any]:
    """The ``ssl`` part of BentoML's configuration, empty where there is no certificate."""
    if tls.certificate is None or tls.key is None:
        return {}
    options: dict[str, Any] = {
        "enabled": True,
        "certfile": str(tls.certificate.absolute()),
        "keyfile": str(tls.key.absolute()),
        "ciphers": _CIPHERS,
    }
    if tls.client_ca is not None:
        options |= {"ca_certs": str(tls.client_ca.absolute()), "cert_reqs": int(ssl.CERT_REQUIRED)}
    return {"ssl": options}
