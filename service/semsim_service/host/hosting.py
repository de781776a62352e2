"""The hooks by which BentoML hosts the service: its options, and the set-up at the import of the service."""

import os
import signal
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from semsim.exceptions import SemSimError
from semsim_service.access.tls import CIPHERS
from semsim_service.grpc_transport.gate.gate_listener import DESCRIPTORS
from semsim_service.host import bentoml_faults
from semsim_service.host.home import claim_home
from semsim_service.host.process import Supervisor, Worker, serving_process, tell_addresses
from semsim_service.host.supervised import SupervisorTie, starting
from semsim_service.host.supervision import watching
from semsim_service.host.worker_places import wait_for_place
from semsim_service.http.uvicorn_parts import bound_connections, check_uvicorn
from semsim_service.observing import logs
from semsim_service.observing.pages import use_allocated_pages
from semsim_service.observing.refused_requests import RefusedRequests
from semsim_service.settings import Settings, TLSSettings, load_settings

_STOP_SECONDS = 5.0


def bentoml_options() -> dict[str, Any]:
    """The arguments of ``@bentoml.service`` that follow from the settings.

    The service is also imported where nothing is served. Settings that cannot be read count as defaults here, because
    :func:`semsim_service.host.preflight.check_deployment` refuses them.
    """
    settings = readable_settings()
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
    with refusing():
        check_uvicorn()
    if isinstance(process, Worker):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # it waits until the worker can read its files again
        bentoml_faults.drop_middlewares()
        settings = readable_settings()
        grpc = DESCRIPTORS * settings.grpc.connections * bool(settings.grpc.port)
        bound_connections(settings.http.connections, grpc, RefusedRequests() if settings.log.requests else None)
        use_allocated_pages()
        if (tie := SupervisorTie.of_environment()) is not None:
            tie.follow(_grace(settings))
    if isinstance(process, Supervisor):
        # Both variables are for the workers. gRPC's C++ would write a line of another form for each failure of TLS.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        # One heap serves all threads. glibc never gives back the end of the other heaps, and each would creep up to the
        # largest size that its threads have held at once.
        os.environ.setdefault("MALLOC_ARENA_MAX", "1")
        from bentoml._internal.configuration.containers import BentoMLContainer
        from bentoml._internal.utils import circus as of_bentoml

        with refusing():
            claim_home(Path(BentoMLContainer.bentoml_home.get()))
        settings = readable_settings()
        address = partial(tell_addresses, process, settings)
        of_bentoml.Arbiter = watching(
            of_bentoml.Arbiter, _grace(settings), settings.workers, address, spare=settings.spare_worker
        )


def finish() -> None:
    """End the import of the service: a spare worker waits here, with all that it needs imported, for its place."""
    if isinstance(serving_process(), Worker):
        with starting():
            wait_for_place()


@contextmanager
def refusing() -> Iterator[None]:
    """A block whose errors of the project end the process as they end a command: with one line and exit code 2."""
    try:
        yield
    except SemSimError as error:
        print(f"error [{error.code}]: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def readable_settings() -> Settings:
    """The settings, or the defaults where they cannot be read, which is refused elsewhere."""
    try:
        return load_settings()
    except SemSimError:
        return Settings.model_construct()


def _grace(settings: Settings) -> float:
    """The seconds that a worker has to stop: it answers HTTP's last requests, and then those of gRPC."""
    return 2 * settings.request_seconds + _STOP_SECONDS


def _tls_options(tls: TLSSettings) -> dict[str, Any]:
    """The ``ssl`` part of BentoML's configuration, empty where there is no certificate."""
    if tls.certificate is None or tls.key is None:
        return {}
    options: dict[str, Any] = {
        "enabled": True,
        "certfile": str(tls.certificate.absolute()),
        "keyfile": str(tls.key.absolute()),
        "ciphers": CIPHERS,
    }
    if tls.client_ca is not None:
        options |= {"ca_certs": str(tls.client_ca.absolute()), "cert_reqs": int(ssl.CERT_REQUIRED)}
    return {"ssl": options}
