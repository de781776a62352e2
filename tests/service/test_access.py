"""Who may ask: a token where others reach the service, and only those who have it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import httpx
import pytest
from pydantic import SecretStr

from semsim.exceptions import InvalidOption, Unauthenticated
from semsim_service import preflight
from semsim_service.auth import check_exposure, check_token, read_token
from semsim_service.settings import AuthSettings
from tests.conftest import ROOT
from tests.service.guarded import TOKEN, Guarded
from tests.service.live import free_port
from tests.service.test_command import COMMANDS, refused

ANY = "0.0.0.0"  # noqa: S104
_BEYOND = "expected SEMSIM_AUTH__TOKEN or SEMSIM_AUTH__TOKEN_FILE beyond loopback, on "


@pytest.mark.parametrize(
    ("command", "arguments", "environment"),
    [(COMMANDS[0], ("--host", ANY), {}), (COMMANDS[1], (), {"BENTOML_HOST": ANY})],
    ids=["semsim", "bentoml"],
)
def test_nobody_listens_beyond_loopback_without_a_token(
    tmp_path: Path, command: tuple[str, ...], arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    """Either command, however it is told: one line, exit code 2."""
    assert f"{_BEYOND}{ANY}, got neither" in refused(tmp_path, *arguments, command=command, **environment)


def test_grpc_beyond_loopback_asks_for_a_token_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP on loopback does not excuse it; no gRPC does."""
    monkeypatch.setenv("SEMSIM_GRPC__HOST", ANY)
    with bentoml_serve(), pytest.raises(InvalidOption, match=f"on {ANY}, got neither"):
        preflight.check()
    monkeypatch.setenv("SEMSIM_GRPC__PORT", "0")
    with bentoml_serve():
        preflight.check()


def test_a_certificate_for_http_alone_is_refused() -> None:
    """With BentoML's own option for one gRPC would go on in plain text."""
    with bentoml_serve(ssl_certfile="x.pem"), pytest.raises(InvalidOption, match="for gRPC as well"):
        preflight.check()


@contextmanager
def bentoml_serve(**options: object) -> Iterator[None]:
    """As inside of `bentoml serve` with these options."""
    context = click.Context(click.Command("serve"))
    context.params = {"bento": ".", "host": "127.0.0.1", "port": free_port(), "ssl_certfile": None} | options
    with context:
        yield


def test_a_worker_looks_at_its_own_socket(tmp_path: Path, small_artifact: Path) -> None:
    """However it was started: one that others reach serves nothing without a token."""
    with socket.create_server((ANY, 0)) as listening:
        arguments = ("-m", "_bentoml_impl.worker.service", "semsim_service.service:SemSimService", "--worker-id", "1")
        ended = subprocess.run(
            [sys.executable, *arguments, "--fd", str(listening.fileno())],
            cwd=ROOT,
            pass_fds=(listening.fileno(),),
            env=os.environ | {"BENTOML_HOME": str(tmp_path), "SEMSIM_ARTIFACT": str(small_artifact)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert ended.returncode != 0
    assert f"{_BEYOND}{ANY}, got neither" in ended.stderr


def test_exposure_is_allowed_with_a_token_or_on_purpose() -> None:
    """Loopback needs nothing; beyond it a token, or the word that this is meant."""
    check_exposure(AuthSettings(), ["127.0.0.1", "127.8.9.1", "::1"])
    check_exposure(AuthSettings(token=SecretStr(TOKEN)), [ANY, "::"])
    check_exposure(AuthSettings(anonymous=True), ["10.0.0.1"])
    with pytest.raises(InvalidOption, match=r"on 10\.0\.0\.1, got neither"):
        check_exposure(AuthSettings(), ["127.0.0.1", "10.0.0.1"])


def test_a_token_is_read_from_a_setting_or_a_file(tmp_path: Path) -> None:
    """Stripped; none is none."""
    file = tmp_path / "token"
    file.write_text(f"  {TOKEN}\n")
    assert read_token(AuthSettings()) is None
    assert read_token(AuthSettings(token=SecretStr(TOKEN))) == TOKEN
    assert read_token(AuthSettings(token_file=file)) == TOKEN


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "at least 16 characters, which nobody guesses, got 0"),
        (b"\n\n", "got 0"),
        (b"short", "got 5"),
        (b"has a blank in the middle", "letters, digits"),
        ("ein-Schlüssel-den-keiner-rät".encode(), "letters, digits"),
        (b"\xff" * 32, "letters, digits"),
    ],
)
def test_what_is_no_token_is_refused_and_not_repeated(tmp_path: Path, content: bytes, told: str) -> None:
    """An empty secret must not mean that everybody may ask."""
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(InvalidOption, match=told) as refusal:
        read_token(AuthSettings(token_file=file))
    assert not content.strip() or content.decode(errors="replace").strip() not in str(refusal.value)


def test_a_token_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A missing file, and two sources at once."""
    with pytest.raises(InvalidOption, match="No such file"):
        read_token(AuthSettings(token_file=tmp_path / "nothing"))
    with pytest.raises(InvalidOption, match="got both"):
        read_token(AuthSettings(token=SecretStr(TOKEN), token_file=tmp_path / "nothing"))


def test_only_the_token_opens() -> None:
    """Any other header is refused, whatever it is made of; the scheme's case does not matter."""
    check_token(None, None)
    check_token(TOKEN, f"Bearer {TOKEN}")
    check_token(TOKEN, f"bearer {TOKEN}")
    for header in (None, "", TOKEN, f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", "Bearer é"):
        with pytest.raises(Unauthenticated):
            check_token(TOKEN, header)


def test_a_service_with_a_token_asks_for_it(guarded: Guarded) -> None:
    """401 with the challenge, in the envelope; probes and metrics are open."""
    with httpx.Client(base_url=guarded.live.url, verify=guarded.trust()) as client:
        for answer in (client.get("/model"), client.post("/score", headers={"authorization": "Bearer wrong"})):
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["error"]["code"] == "unauthenticated"
        assert [client.get(path).status_code for path in ("/livez", "/readyz", "/metrics", "/")] == [200] * 4
