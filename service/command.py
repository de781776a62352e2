"""``semsim serve``: the service under BentoML, set up as it should be."""

import os
import socket
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; pairs hold private originals.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 3000,
    artifact: Annotated[
        Path | None, typer.Option("--model", help="Model artifact directory.", show_default="the bundled one")
    ] = None,
) -> None:
    """Serve POST /score until interrupted. Further settings: environment variables SEMSIM_*."""
    import bentoml  # noqa: F401  # a missing extra is told here, not by the process that replaces this one

    from service import preflight

    environment = os.environ | {"BENTOML_HOME": os.environ.get("BENTOML_HOME", str(_home(port)))}
    # No usage reports, and no tracing middleware unless tracing is set up.
    environment = {"BENTOML_DO_NOT_TRACK": "true", "OTEL_SDK_DISABLED": "true"} | environment
    if artifact is not None:
        environment["SEMSIM_ARTIFACT"] = str(artifact.absolute())
    Path(environment["BENTOML_HOME"]).mkdir(parents=True, exist_ok=True)
    os.environ.update(environment)
    preflight.check()
    _check_address(host, port)
    root = Path(__file__).parent.parent
    arguments = ["-m", "bentoml", "serve", "service.service:SemSimService"]
    arguments += ["--working-dir", str(root), "--host", host, "--port", str(port)]
    os.execve(sys.executable, [sys.executable, *arguments], environment)  # noqa: S606


def _check_address(host: str, port: int) -> None:
    """Refuse an address in use here: BentoML would print a long trace."""
    from semsim.exceptions import InvalidOption

    try:
        family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        raise InvalidOption(f"expected --host to be an IP address, got {host}") from None
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise InvalidOption(f"expected a free address to listen on, got {host} port {port}: {error.strerror}") from None


def _home(port: int) -> Path:
    """A BENTOML_HOME a port: a second server with the same one wipes the first one's metrics."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")))
    return cache / "semsim" / f"bentoml-{port}"
