"""Starts that BentoML is about to make, and that are refused before a worker starts."""

import socket
from pathlib import Path

import pytest

from semsim.exceptions import InvalidOption
from semsim.providers import Provider, unavailable_reason
from semsim_service.host import hosting, preflight
from tests.service.host.serving import bentoml_serve, bentoml_worker
from tests.service.live import free_port
from tests.service.refusing import BENTOML_SERVE, SEMSIM_SERVE, refused

pytestmark = pytest.mark.slow

ANY = "0.0.0.0"  # noqa: S104
BEYOND_LOOPBACK = f"expected SEMSIM_AUTH__TOKEN or SEMSIM_AUTH__TOKEN_FILE beyond loopback, on {ANY}, got neither"


@pytest.fixture
def address() -> tuple[str, ...]:
    """Options of `bentoml serve` by which it would listen on free ports."""
    return ("--host", "127.0.0.1", "--port", str(free_port()))


@pytest.fixture(autouse=True)
def _free_grpc_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMSIM_GRPC__PORT", str(free_port()))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SEMSIM_LIMITS__PAIRS": "0"}, "error [invalid_option]: expected"),
        (
            {"SEMSIM_PROVIDERS__ORDER": '["cpu"]', "SEMSIM_PROVIDERS__REQUIRED": "cuda"},
            "error [provider_unavailable]: expected cuda in the order cpu",
        ),
        ({"SEMSIM_ARTIFACT": "/nowhere"}, "error [artifact_not_found]: expected"),
    ],
)
def test_wrong_settings_are_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    address: tuple[str, ...],
    environment: dict[str, str],
    message: str,
) -> None:
    """A wrong setting, artifact or provider ends `bentoml serve` with the reason: no worker fails again and again."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    hosting.bentoml_options()  # at the import of the service, where wrong settings are not told yet
    with bentoml_serve(*address), pytest.raises(SystemExit) as end, hosting.refusing():
        preflight.check_deployment()
    assert end.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith(message)
    assert printed.count("\n") == 1


def test_bentomls_own_command_refuses_in_one_line(tmp_path: Path) -> None:
    """`bentoml serve` ends with one line and exit code 2 for an address of BentoML's configuration without a token."""
    assert BEYOND_LOOPBACK in refused(tmp_path, command=BENTOML_SERVE, BENTOML_HOST=ANY)


@pytest.mark.parametrize("command", [SEMSIM_SERVE, BENTOML_SERVE], ids=["semsim", "bentoml"])
def test_a_required_provider_that_is_absent_is_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    """The order has the required provider, and the machine has not: the start ends before BentoML says a word."""
    if unavailable_reason(Provider.CUDA) is None:
        pytest.skip("needs a machine without CUDA")
    line = refused(tmp_path, command=command, SEMSIM_PROVIDERS__REQUIRED="cuda")
    assert line.startswith("error [provider_unavailable]: expected the cuda execution provider, got ")


def test_grpc_beyond_loopback_asks_for_a_token_too(monkeypatch: pytest.MonkeyPatch, address: tuple[str, ...]) -> None:
    """HTTP on loopback does not excuse gRPC beyond it. A service without gRPC needs no excuse."""
    monkeypatch.setenv("SEMSIM_GRPC__HOST", ANY)
    with bentoml_serve(*address), pytest.raises(InvalidOption, match=f"on {ANY}, got neither"):
        preflight.check_deployment()
    monkeypatch.setenv("SEMSIM_GRPC__PORT", "0")
    with bentoml_serve(*address):
        preflight.check_deployment()


def test_a_certificate_for_http_alone_is_refused(address: tuple[str, ...]) -> None:
    """With BentoML's own option for a certificate gRPC would go on in plain text."""
    with bentoml_serve(*address, "--ssl-certfile", "x.pem"), pytest.raises(InvalidOption, match="for gRPC as well"):
        preflight.check_deployment()


def test_a_worker_looks_at_its_own_socket(monkeypatch: pytest.MonkeyPatch, small_artifact: Path) -> None:
    """However it was started, a worker that others reach serves nothing without a token."""
    from semsim_service.service import SemSimService

    monkeypatch.setenv("SEMSIM_ARTIFACT", str(small_artifact))
    with (
        socket.create_server((ANY, 0)) as listening,
        bentoml_worker(listening.fileno()),
        pytest.raises(InvalidOption) as refusal,
    ):
        SemSimService.inner()
    assert BEYOND_LOOPBACK in str(refusal.value)
