"""The command `semsim serve`: checks that the service can start, and becomes BentoML's process."""

import importlib
import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel  # `semsim serve --help` does without

app = typer.Typer(add_completion=False)

_Certificate = Annotated[Path | None, typer.Option(help="PEM file; with --tls-key, HTTP and gRPC speak TLS only.")]
_Key = Annotated[Path | None, typer.Option(help="PEM file of the certificate's key, not encrypted.")]
_ClientCA = Annotated[Path | None, typer.Option(help="PEM file; clients must show a certificate that it signed.")]


_HOST, _PORT = "127.0.0.1", 3000
_OPTIONS = {
    "SEMSIM_ARTIFACT": "--model",
    "SEMSIM_TLS__CERTIFICATE": "--tls-certificate",
    "SEMSIM_TLS__KEY": "--tls-key",
    "SEMSIM_TLS__CLIENT_CA": "--tls-client-ca",
    "SEMSIM_WORKERS": "--workers",
    "SEMSIM_GRPC__HOST": "--host, or its default",
    "SEMSIM_GRPC__PORT": "--grpc-port, or the next after --port",
}
"""The options that are settings, by their environment variables."""


@app.command(epilog="Example: semsim serve --port 3000")
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; pairs hold private originals.")] = _HOST,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of HTTP.")] = _PORT,
    grpc_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of gRPC; 0 = none.", show_default="the next after --port"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; each loads the model.", show_default="1")
    ] = None,
    artifact: Annotated[
        Path | None, typer.Option("--model", help="Model artifact directory.", show_default="the bundled one")
    ] = None,
    tls_certificate: _Certificate = None,
    tls_key: _Key = None,
    tls_client_ca: _ClientCA = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print every setting and where it comes from, and start nothing.")
    ] = False,
) -> None:
    """Serve POST /score and gRPC until interrupted. Further settings: environment variables SEMSIM_*.

    Beyond loopback a token is asked for: SEMSIM_AUTH__TOKEN or SEMSIM_AUTH__TOKEN_FILE, unless
    SEMSIM_AUTH__ANONYMOUS=true.
    """
    if importlib.util.find_spec("bentoml") is None:  # told here, not by the process that replaces this one
        raise ModuleNotFoundError("No module named 'bentoml'", name="bentoml")
    from semsim_service.host.home import home_of

    # Until the supervisor handles it: it would end the supervisor while it starts.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    # gRPC's C++ would write lines of another form beside the one that says what is wrong.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    # Else Python processes that run a module look for others in the current folder first: a user's typing.py, too.
    os.environ["PYTHONSAFEPATH"] = "1"
    os.environ["BENTOML_HOME"] = os.environ.get("BENTOML_HOME") or str(home_of(port))
    before = dict(os.environ)
    files = {
        "SEMSIM_ARTIFACT": artifact,
        "SEMSIM_TLS__CERTIFICATE": tls_certificate,
        "SEMSIM_TLS__KEY": tls_key,
        "SEMSIM_TLS__CLIENT_CA": tls_client_ca,
    }
    os.environ.update({name: str(path) for name, path in files.items() if path is not None})
    if workers is not None:
        os.environ["SEMSIM_WORKERS"] = str(workers)
    os.environ.update(_grpc(host, port, grpc_port))
    if print_config:
        from semsim_service.setting_origins import print_settings

        given = {name: option for name, option in _OPTIONS.items() if os.environ.get(name) != before.get(name)}
        given |= {"host": "--host"} if host != _HOST else {}
        given |= {"port": "--port"} if port != _PORT else {}
        print_settings(host, port, given)
        raise typer.Exit
    os.environ.update(_check(host, port))
    root = Path(__file__).parent.parent
    arguments = ["-m", "bentoml", "serve", "semsim_service.service:SemSimService"]
    arguments += ["--working-dir", str(root), "--host", host, "--port", str(port)]
    # Longer than clients' pools and load balancers keep idle connections, usually 60 s: they must be the first to
    # close, or a request is lost that is sent while the service closes.
    arguments += ["--timeout-keep-alive", "75"]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606


def _check(host: str, port: int) -> dict[str, str]:
    """Refuse a start that cannot succeed, and give the absolute paths of the settings as environment variables.

    BentoML's process checks again, but takes seconds to get there. Its workers run in another folder.
    """
    from semsim_service.host.home import check_room, writable_home
    from semsim_service.host.preflight import check_addresses, check_bentoml, check_settings, try_model
    from semsim_service.settings import load_settings

    settings = load_settings()
    check_bentoml()
    check_settings(settings)
    check_addresses(settings, host, port)
    try_model(settings)
    wanted = Path(os.environ["BENTOML_HOME"])
    home = writable_home(wanted)
    if home != wanted:
        typer.echo(f"{wanted} is read-only: the metrics of the workers lie in {home}", err=True)
    check_room(home, settings.workers)
    paths = _absolute(settings) | {"BENTOML_HOME": str(home.absolute())}
    config = os.environ.get("SEMSIM_CONFIG")
    return paths | ({"SEMSIM_CONFIG": str(Path(config).absolute())} if config else {})


def _absolute(settings: "BaseModel", prefix: str = "SEMSIM_") -> dict[str, str]:
    """The paths among the settings, from wherever they come, as absolute ones by their environment variables."""
    paths: dict[str, str] = {}
    for name, value in settings:
        if isinstance(value, Path):
            paths[f"{prefix}{name.upper()}"] = str(value.absolute())
        elif hasattr(value, "model_fields_set"):
            paths |= _absolute(value, f"{prefix}{name.upper()}__")
    return paths


def _grpc(host: str, port: int, grpc_port: int | None) -> dict[str, str]:
    """The address of gRPC as environment variables, where neither the environment nor the YAML file gives it.

    ``--grpc-port`` wins over both. Without any of them gRPC listens beside HTTP.
    """
    from semsim.exceptions import InvalidOption
    from semsim_service.settings import load_settings

    given = load_settings().grpc.model_fields_set
    environment = {} if "host" in given else {"SEMSIM_GRPC__HOST": host}
    if grpc_port is None and "port" not in given:
        grpc_port = port + 1
        if grpc_port > 65535:
            raise InvalidOption(f"expected --grpc-port beside --port {port}, got none")
    return environment if grpc_port is None else environment | {"SEMSIM_GRPC__PORT": str(grpc_port)}
