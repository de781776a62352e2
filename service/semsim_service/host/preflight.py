"""Checks what a start needs, before any worker starts: BentoML would start a failing worker again for ever."""

import importlib
import os
from pathlib import Path

from semsim.artifact import Artifact
from semsim.exceptions import InvalidGraph, InvalidOption, SemSimError
from semsim.lpips_artifact import LpipsArtifact
from semsim.providers import CPUOptions, Provider, ProviderSettings, check_required
from semsim.scorer import Scorer
from semsim_service.access.addresses import check_free, check_host
from semsim_service.access.auth import check_exposure, read_tokens
from semsim_service.access.tls import check_tls
from semsim_service.host.home import check_room
from semsim_service.host.memory_need import tell_memory_need
from semsim_service.host.process import Supervisor, Worker, serving_process
from semsim_service.observing.audit_log import AuditLog
from semsim_service.observing.cgroup import memory_limit
from semsim_service.settings import Settings, load_settings


def check_settings(settings: Settings) -> None:
    """Check the settings and all that they name, except the addresses. The model is not loaded.

    Raises:
        SemSimError: the service could not start with these settings.
    """
    read_tokens(settings.auth)
    check_tls(settings.tls)
    if settings.log.audit_file is not None:
        AuditLog(settings.log.audit_file).close()
    check_required(settings.providers)
    Artifact.load(settings.artifact)
    if settings.lpips is not None:
        LpipsArtifact.load(settings.lpips)


def check_bentoml() -> None:
    """Refuse a configuration of BentoML's own that it cannot read: it would write a trace of dozens of lines.

    Raises:
        InvalidOption: BentoML cannot read it.
    """
    names = [name for name in ("BENTOML_CONFIG", "BENTOML_CONFIG_OPTIONS") if os.environ.get(name)]
    if not names:  # the import takes a second
        return
    try:
        importlib.import_module("bentoml._internal.configuration.containers")
    except Exception as error:  # noqa: BLE001  # whatever it raises at a value that it did not foresee
        reason = str(error).partition(" in {")[0].replace("\n", " ")
        raise InvalidOption(f"expected {' and '.join(names)} that BentoML can read, got: {reason}") from None


def try_model(settings: Settings) -> None:
    """Load the model and embed one image, on one thread of the CPU: the graph may be another than its manifest says.

    The service's own providers are not tried, since TensorRT may build engines for minutes.

    Raises:
        SemSimError: the model cannot be used.
    """
    cpu = ProviderSettings(order=(Provider.CPU,), cpu=CPUOptions(threads=1))
    scorer = Scorer(settings.artifact, providers=cpu, batch_size=1, controls=False, lpips=settings.lpips)
    try:
        scorer.warm_up()
    except SemSimError:
        raise
    except Exception as error:  # noqa: BLE001  # ONNX Runtime's exceptions have no common base
        raise InvalidGraph(f"expected a graph that runs, got: {error}".replace("\n", " ")) from None


def check_addresses(settings: Settings, host: str, port: int) -> None:
    """Check the addresses that a server would listen on, HTTP on ``host`` and ``port``.

    Raises:
        InvalidOption: an address cannot be used, or strangers could reach it and need no token.
    """
    check_host(host, "--host")
    check_host(settings.grpc.host, "grpc.host")
    check_exposure(settings.auth, _hosts(host, settings))
    check_free(host, port, settings.grpc)


def check_deployment() -> None:
    """Check a start that BentoML is about to make, whichever command began it.

    Raises:
        SemSimError: the service could not start, or should not.
    """
    settings = load_settings()
    check_settings(settings)
    process = serving_process()
    if isinstance(process, Supervisor):
        _check_supervisor(process, settings)


def check_worker(settings: Settings) -> None:
    """Check the address that this worker listens on, however the worker was started.

    Raises:
        InvalidOption: strangers could reach it, and need no token.
    """
    process = serving_process()
    if isinstance(process, Worker):
        check_exposure(settings.auth, _hosts(process.host, settings))


def _check_supervisor(supervisor: Supervisor, settings: Settings) -> None:
    from bentoml._internal.configuration.containers import BentoMLContainer

    if supervisor.certificate is not None and settings.tls.certificate is None and settings.grpc.port:
        raise InvalidOption("expected tls.certificate and tls.key, for gRPC as well, got only BentoML's --ssl-certfile")
    check_addresses(settings, *supervisor.address())
    check_room(Path(BentoMLContainer.bentoml_home.get()), settings.workers)
    tell_memory_need(settings, memory_limit())


def _hosts(host: str | None, settings: Settings) -> list[str]:
    """The hosts of HTTP and of gRPC, as far as the service listens there."""
    return [address for address in (host, settings.grpc.host if settings.grpc.port else None) if address is not None]
