"""`semsim serve`: the start that it makes of its options, and the starts that it refuses."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from semsim.exceptions import ErrorCode, InvalidOption, SemSimError
from semsim.manifest import EmbeddingSpec, InputSpec
from semsim_service.host import preflight
from semsim_service.serve_command import app
from semsim_service.settings import Settings, load_settings
from tests.artifacts import DIMENSION, SIDE, write_artifact
from tests.conftest import ROOT
from tests.service.grpc_transport.certificates import Authority
from tests.service.live import LiveService, free_port
from tests.service.refusing import refused
from tests.service.small_disk import on_small_disk

Serve = Callable[..., tuple[list[str], Settings]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Serve]:
    """The command in this process. It gives the arguments and the settings of the process that it would become."""
    hangup = signal.getsignal(signal.SIGHUP)
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, arguments: started.append(arguments))
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))

    def run(*arguments: str) -> tuple[list[str], Settings]:
        with patch.dict(os.environ):
            # Not CliRunner: it would have standard output for itself.
            app(arguments, standalone_mode=False)
            return started[-1], load_settings()

    yield run
    signal.signal(signal.SIGHUP, hangup)


def test_a_hangup_during_the_start_ends_nothing(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command ignores SIGHUP from its first checks on, and so does BentoML's process until it passes it on."""
    loaded: list[object] = []
    monkeypatch.setattr(preflight, "try_model", lambda _: loaded.append(signal.getsignal(signal.SIGHUP)))
    serve("--port", str(free_neighbours()))
    assert loaded == [signal.SIG_IGN]
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_relative_paths_are_those_of_the_callers_folder(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, calibrated_artifact: Path
) -> None:
    """The workers run in another folder; paths of the environment and of the YAML file go to them as absolute ones."""
    (tmp_path / "model").symlink_to(calibrated_artifact)
    (tmp_path / "token").write_text("a-token-that-is-long-enough-to-be-one")
    (tmp_path / "settings.yaml").write_text("artifact: model\nauth: {token_file: token}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEMSIM_CONFIG", "settings.yaml")
    port = str(free_neighbours())
    _, settings = serve("--port", port)
    assert settings.artifact == tmp_path / "model"
    assert settings.auth.token_file == tmp_path / "token"
    monkeypatch.setenv("SEMSIM_ARTIFACT", "./model")
    assert serve("--port", port)[1].artifact == tmp_path / "model"


def free_neighbours() -> int:
    """A port that nobody listens on, nor on the next one."""
    while True:
        port = free_port()
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.2", port + 1))
            except OSError:
                continue
        return port


def test_options_become_settings(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The process that replaces the command reads the options as settings; a setting of the environment stays."""
    port, host = free_neighbours(), "127.0.0.2"
    arguments, settings = serve("--port", str(port), "--host", host)
    assert (settings.grpc.port, settings.grpc.host, settings.workers) == (port + 1, host, 1)
    assert arguments[-6:-2] == ["--host", host, "--port", str(port)]
    assert arguments[-2:] == ["--timeout-keep-alive", "75"]
    authority = Authority(tmp_path, "authority")
    signed = authority.sign("server")
    monkeypatch.chdir(tmp_path)
    files = ("--tls-certificate", "server.pem", "--tls-key", "server.key", "--tls-client-ca", "authority.pem")
    _, settings = serve("--port", str(port), "--grpc-port", "0", "--workers", "3", *files)
    assert (settings.grpc.port, settings.workers) == (0, 3)
    tls = settings.tls
    assert (tls.certificate, tls.key, tls.client_ca) == (signed.certificate, signed.key, authority.certificate)
    monkeypatch.setenv("SEMSIM_GRPC__PORT", str(port + 1))
    monkeypatch.setenv("SEMSIM_GRPC__HOST", "127.0.0.9")
    _, settings = serve("--port", str(port))
    assert (settings.grpc.port, settings.grpc.host) == (port + 1, "127.0.0.9")


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "message"),
    [
        ("--port 65535", {}, "invalid_option", "expected --grpc-port beside --port 65535"),
        ("--host localhost", {}, "invalid_option", "expected --host to be an IP address, got localhost"),
        ("--host 0.0.0.0", {}, "invalid_option", "beyond loopback, on 0.0.0.0, got neither"),
        (
            "--tls-certificate /nowhere.pem --tls-key /nowhere.key",
            {},
            "invalid_option",
            "expected tls.certificate to be a readable PEM file, got /nowhere.pem",
        ),
        ("", {"SEMSIM_ARTIFACT": "/nowhere"}, "artifact_not_found", "expected"),
        ("", {"SEMSIM_LIMIT__PAIRS": "3"}, "invalid_option", "did you mean SEMSIM_LIMITS__PAIRS?"),
        ("", {"SEMSIM_LIMITS__PAIRS": "0"}, "invalid_option", "limits.pairs"),
        (
            "",
            {"SEMSIM_LIMITS__BODY_BYTES": "3000000000", "SEMSIM_QUEUE__BYTES": "5000000000"},
            "invalid_option",
            "limits.body_bytes",
        ),
        ("", {"SEMSIM_BATCH_SIZE": "100000000"}, "invalid_option", "batch_size"),
        ("", {"SEMSIM_DECODE_THREADS": "100000"}, "invalid_option", "decode_threads"),
        ("", {"SEMSIM_PROVIDERS__CPU__THREADS": "100000"}, "invalid_option", "providers.cpu.threads"),
        ("--workers 100000", {}, "invalid_option", "workers"),
        ("", {"SEMSIM_TRACING__ENDPOINT": "localhost:4318"}, "invalid_option", "tracing.endpoint"),
        ("", {"SEMSIM_TRACING__ENDPOINT": "http://:4318/v1/traces"}, "invalid_option", "tracing.endpoint"),
        ("", {"SEMSIM_TRACING__ENDPOINT": "http://host:port/v1/traces"}, "invalid_option", "tracing.endpoint"),
        (
            "",
            {"SEMSIM_PROVIDERS__ORDER": '["cpu"]', "SEMSIM_PROVIDERS__REQUIRED": "cuda"},
            "provider_unavailable",
            "expected cuda in the order cpu",
        ),
    ],
)
def test_a_start_that_cannot_succeed_is_refused(
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    environment: dict[str, str],
    code: str,
    message: str,
) -> None:
    """A wrong option, setting, file, artifact or provider is an error of one line, and no process is started."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SemSimError) as refusal:
        serve(*arguments.split())
    assert refusal.value.code is ErrorCode(code)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_port_in_use_is_named(serve: Serve) -> None:
    """A port that somebody listens on is refused."""
    host = "::1"
    try:
        taken = socket.create_server((host, 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip(f"needs {host}")
    with taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidOption, match=f"got {host} port {port}: Address already in use"):
            serve("--host", host, "--port", str(port))


def test_a_port_in_use_for_grpc_is_named(serve: Serve) -> None:
    """The port of gRPC is checked, too."""
    message = "expected a free address to listen on for gRPC, got 127.0.0.1 port {}: Address already in use"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidOption, match=message.format(port)):
            serve("--port", str(free_port()), "--grpc-port", str(port))


def test_the_port_of_a_running_service_is_named(
    serve: Serve, service: LiveService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two servers on one port, which has the same home, is told of the port."""
    monkeypatch.setenv("BENTOML_HOME", str(service.home))
    port = service.url.rpartition(":")[2]
    with pytest.raises(InvalidOption, match=f"got 127.0.0.1 port {port}: Address already in use"):
        serve("--port", port)


def test_the_last_line_of_a_start_says_both_addresses_and_ready(limited_service: LiveService) -> None:
    """Whoever looks at the log of a start sees that it is done, and where the service listens."""
    ready, deadline = f"ready: HTTP on {limited_service.url}, gRPC on {limited_service.grpc}", time.monotonic() + 30
    events: list[str] = []
    while ready not in events:
        assert time.monotonic() < deadline, events
        time.sleep(0.1)
        lines = limited_service.log.splitlines()
        events = [json.loads(line)["event"] for line in lines if line.startswith(b"{") and line.endswith(b"}")]
    assert events.count(ready) == 1
    assert events.index(ready) > max(events.index(event) for event in events if "startup hook" in event)


def test_the_installed_command_refuses_in_one_line(tmp_path: Path) -> None:
    """The command writes one line on stderr and ends with exit code 2."""
    assert "error [artifact_not_found]: expected" in refused(tmp_path, SEMSIM_ARTIFACT="/nowhere")


@pytest.mark.parametrize(
    "environment",
    [{"BENTOML_CONFIG": "/nowhere"}, {"BENTOML_CONFIG_OPTIONS": "a=b=c"}, {"BENTOML_CONFIG_OPTIONS": "foo.bar=3"}],
    ids=["file", "words", "name"],
)
def test_a_configuration_that_bentoml_cannot_read_is_refused(tmp_path: Path, environment: dict[str, str]) -> None:
    """BentoML's own trace of dozens of lines is one line, which names the variable."""
    line = refused(tmp_path, **environment)
    assert f"error [invalid_option]: expected {next(iter(environment))} that BentoML can read" in line
    assert len(line) < 300


def test_an_empty_variable_names_no_folder(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An empty BENTOML_HOME or XDG_CACHE_HOME counts as none, so that nothing is written into the current folder."""
    here = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BENTOML_HOME", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    port = free_neighbours()
    serve("--port", str(port))
    assert not list(here.iterdir())
    assert (tmp_path / ".cache" / "semsim" / f"bentoml-{port}").is_dir()


@pytest.mark.parametrize(
    ("graph", "changes", "message"),
    [
        (b"garbage", {}, "ONNX Runtime cannot load the graph"),
        (
            None,
            {"embedding": EmbeddingSpec(dimension=DIMENSION + 1, normalized=False)},
            "expected an output embeddings",
        ),
        (None, {"input": InputSpec(height=SIDE, width=2 * SIDE)}, "expected one input images"),
    ],
    ids=["garbage", "dimension", "size"],
)
def test_a_graph_that_its_manifest_does_not_describe_is_refused(
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    graph: bytes | None,
    changes: dict[str, Any],
    message: str,
) -> None:
    """A graph under its right hash that is no graph, or another one, is an error of one line before BentoML starts."""
    monkeypatch.setenv("SEMSIM_ARTIFACT", str(write_artifact(tmp_path / "model", graph, **changes)))
    with pytest.raises(SemSimError, match=message) as refusal:
        serve("--port", str(free_neighbours()))
    assert refusal.value.code is ErrorCode.INVALID_GRAPH
    assert "\n" not in str(refusal.value)


_SERVE = """
import os
os.execv = lambda _, arguments: print(os.environ["BENTOML_HOME"])
from semsim.commands.main import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ("size=64k", 2, r"error \[invalid_option\]: expected a BENTOML_HOME that .*, got a full disk: 640 KiB"),
        ("size=64k,ro", 0, r".* is read-only: the metrics of the workers lie in (\S+)"),
        ("size=4m", 0, ""),
    ],
    ids=["full", "read-only", "room"],
)
def test_a_full_disk_and_a_read_only_home_are_told(
    tmp_path: Path, calibrated_artifact: Path, options: str, code: int, said: str
) -> None:
    """A home without room for the metrics is refused in one line. A read-only one is replaced, which is told."""
    home = tmp_path / "home"
    arguments = ("serve", "--port", str(free_neighbours()), "--model", str(calibrated_artifact))
    command = on_small_disk(home, options, sys.executable, "-c", _SERVE, *arguments)
    environment = os.environ | {"BENTOML_HOME": str(home), "TMPDIR": str(tmp_path)}
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == code, ended.stderr
    told = re.fullmatch(said + r".*\n" if said else "", ended.stderr)
    assert told is not None, ended.stderr
    if code == 0:
        assert ended.stdout.strip() == (told[1] if told.groups() else str(home))
