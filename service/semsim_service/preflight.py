"""What can be refused before a worker starts: BentoML would restart a worker that fails, for ever."""

from pathlib import Path

from semsim.artifact import Artifact
from semsim.exceptions import InvalidOption
from semsim.providers import check_required
from semsim_service.addresses import check_free, check_host
from semsim_service.auth import check_exposure, read_token
from semsim_service.home import claim_home
from semsim_service.process import Supervisor, Worker, serving_process
from semsim_service.settings import Settings, load_settings
from semsim_service.tls import check_tls


def check() -> None:
    """Look at the settings, and at all that they name; the model is not loaded.

    Raises:
        SemSimError: the service could not start with them, or should not.
    """
    settings = load_settings()
    read_token(settings.auth)
    check_tls(settings.tls)
    check_required(settings.providers)
    Artifact.load(settings.artifact)
    process = serving_process()
    if isinstance(process, Supervisor):
        _check_addresses(process, settings)


def check_worker(settings: Settings) -> None:
    """The same rule for the address that a worker does listen on, however it was started.

    Raises:
        InvalidOption: others reach it, and anybody may ask it.
    """
    process = serving_process()
    if isinstance(process, Worker):
        check_exposure(settings.auth, _hosts(process.host, settings))


def claim(supervisor: Supervisor, home: Path) -> None:
    """Take BentoML's home for this server, before BentoML empties its metrics.

    Raises:
        InvalidOption: another server has it.
    """
    try:
        claim_home(home)
    except InvalidOption:
        if supervisor.host is not None and supervisor.port is not None:
            # `semsim serve` has a home a port: of two on one port the port is what there is to say.
            _check_addresses(supervisor, load_settings())
        raise


def _check_addresses(supervisor: Supervisor, settings: Settings) -> None:
    from bentoml._internal.configuration.containers import BentoMLContainer

    host = supervisor.host or str(BentoMLContainer.http.host.get())
    port = supervisor.port or int(BentoMLContainer.http.port.get())
    check_host(host, "--host")
    check_host(settings.grpc.host, "grpc.host")
    check_exposure(settings.auth, _hosts(host, settings))
    if supervisor.certificate is not None and settings.tls.certificate is None and settings.grpc.port:
        raise InvalidOption("expected tls.certificate and tls.key, for gRPC as well, got only BentoML's --ssl-certfile")
    check_free(host, port, settings.grpc)


def _hosts(host: str | None, settings: Settings) -> list[str]:
    """What is listened on, HTTP first."""
    return [address for address in (host, settings.grpc.host if settings.grpc.port else None) if address is not None]
