"""`semsim serve` and `bentoml serve`: what they refuse before a worker starts."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from semsim.exceptions import InvalidOption
from semsim_service.serve_command import app
from semsim_service.settings import Settings, load_settings
from tests.conftest import ROOT
from tests.service.live import free_port

COMMANDS = ((str(Path(sys.executable).parent / "semsim"), "serve"), (sys.executable, "-m", "bentoml", "serve"))


def refused(home: Path, *arguments: str, command: tuple[str, ...] = COMMANDS[0], **environment: str) -> str:
    """What a command says when it refuses to start, in one line."""
    shown = subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"} | environment,
    )
    assert shown.returncode == 2, shown.stderr
    assert shown.stderr.count("\n") == 1, shown.stderr
    return shown.stderr


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    """A port that somebody listens on is named."""
    host = "::1"
    try:
        taken = socket.create_server((host, 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip(f"needs {host}")
    with taken:
        port = taken.getsockname()[1]
        assert f"got {host} port {port}: Address already in use" in refused(
            tmp_path, "--host", host, "--port", str(port)
        )


def test_a_port_in_use_for_grpc_is_one_line(tmp_path: Path) -> None:
    """The other port is looked at, too."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = refused(tmp_path, "--port", str(free_port()), "--grpc-port", str(port))
    assert f"expected a free address to listen on for gRPC, got 127.0.0.1 port {port}: Address already in use" in told


def test_options_become_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command's options, as the service that replaces it reads them; else what was set before stays."""
    started: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda _, arguments, environment: started.append((arguments, environment)))
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))

    def settings(*arguments: str) -> Settings:
        # Not CliRunner: it would have standard output for itself.
        app(arguments, standalone_mode=False)
        with monkeypatch.context() as context:
            for name, value in started[-1][1].items():
                context.setenv(name, value)
            return load_settings()

    plain = settings("--port", "4000", "--host", "::1")
    assert (plain.grpc.port, plain.grpc.host, plain.workers) == (4001, "::1", 1)
    assert started[-1][0][-6:-2] == ["--host", "::1", "--port", "4000"]
    assert started[-1][0][-2:] == ["--timeout-keep-alive", "75"]
    told = settings(
        "--grpc-port", "0", "--workers", "3", "--tls-certificate", "c", "--tls-key", "k", "--tls-client-ca", "a"
    )
    assert (told.grpc.port, told.workers) == (0, 3)
    assert [told.tls.certificate, told.tls.key, told.tls.client_ca] == [Path(name).absolute() for name in "cka"]
    monkeypatch.setenv("SEMSIM_GRPC__PORT", "9")
    monkeypatch.setenv("SEMSIM_GRPC__HOST", "127.0.0.9")
    before = settings("--port", "4000")
    assert (before.grpc.port, before.grpc.host) == (9, "127.0.0.9")
    with pytest.raises(InvalidOption, match="expected --grpc-port beside --port 65535"):
        monkeypatch.delenv("SEMSIM_GRPC__PORT")
        settings("--port", "65535")


def test_a_host_that_is_no_address_is_one_line(tmp_path: Path) -> None:
    """BentoML listens on addresses, not on names."""
    assert "expected --host to be an IP address, got localhost" in refused(tmp_path, "--host", "localhost")


@pytest.mark.parametrize(
    ("command", "environment", "told"),
    [
        (COMMANDS[0], {"SEMSIM_ARTIFACT": "/nowhere"}, "error [artifact_not_found]: expected"),
        (COMMANDS[0], {"SEMSIM_LIMIT__PAIRS": "3"}, "did you mean SEMSIM_LIMITS__PAIRS?"),
        (COMMANDS[1], {"SEMSIM_LIMITS__PAIRS": "0"}, "error [invalid_option]: expected"),
        (
            COMMANDS[1],
            {"SEMSIM_PROVIDERS__ORDER": '["cpu"]', "SEMSIM_PROVIDERS__REQUIRED": "cuda"},
            "error [provider_unavailable]: expected cuda in the order cpu",
        ),
    ],
)
def test_wrong_settings_are_one_line(
    tmp_path: Path, command: tuple[str, ...], environment: dict[str, str], told: str
) -> None:
    """A wrong setting, artifact or provider ends either command with the reason: no worker fails again and again."""
    assert told in refused(tmp_path, command=command, **environment)
