"""`semsim serve --print-config`: every setting, its value and where it comes from."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from semsim_service.setting_origins import setting_origins
from semsim_service.settings import Settings
from tests.semsim.commands.conftest import Semsim, semsim  # noqa: F401 - a fixture
from tests.test_documentation import variables


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """The variables of this process, which the command sets for the process that it becomes."""
    with patch.dict(os.environ):
        yield


def test_every_setting_is_printed_with_its_origin(
    semsim: Semsim,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Options, variables of one setting and of a group, and the file are told apart; no secret is shown."""
    (tmp_path / "semsim.yaml").write_text(
        "limits: {pairs: 12}\nqueue: {pairs: 100}\nauth: {token: a-token-of-the-file-12345}\n"
    )
    monkeypatch.setenv("SEMSIM_CONFIG", str(tmp_path / "semsim.yaml"))
    monkeypatch.setenv("SEMSIM_QUEUE", '{"bytes": 300000000}')
    monkeypatch.setenv("SEMSIM_LIMITS__IMAGE_BYTES", "1000")
    monkeypatch.setenv("SEMSIM_TRACING__ENDPOINT", "http://name:password@host:1/v1/traces?key=secret")
    shown = semsim("serve", "--print-config", "--workers", 2, "--port", 4000)
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in shown.stdout.splitlines()}
    settings = {name.removeprefix("SEMSIM_").replace("__", ".").lower() for name in variables(Settings, "SEMSIM_")}
    assert set(lines) == {"host", "port", *settings}
    for name, (value, origin) in {
        "port": ("4000", "--port"),
        "host": ('"127.0.0.1"', "default"),
        "workers": ("2", "--workers"),
        "grpc.port": ("4001", "--grpc-port, or the next after --port"),
        "limits.pairs": ("12", str(tmp_path / "semsim.yaml")),
        "queue.pairs": ("100", str(tmp_path / "semsim.yaml")),
        "queue.bytes": ("300000000", "SEMSIM_QUEUE"),
        "limits.image_bytes": ("1000", "SEMSIM_LIMITS__IMAGE_BYTES"),
        "batch_size": ("16", "default"),
        "auth.token": ('"**********"', str(tmp_path / "semsim.yaml")),
        "tracing.endpoint": ('"http://**********@host:1/v1/traces?**********"', "SEMSIM_TRACING__ENDPOINT"),
    }.items():
        assert lines[name].split(maxsplit=1) == [value, origin]


@pytest.mark.parametrize(
    "endpoint", ["http://name:pass@word@host/v1", 'http://name:pass"word@host/v1', "http://host/v1?pass@word#password"]
)
def test_no_part_of_a_password_is_printed(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords and keys in an address may hold the characters that stand around them elsewhere."""
    monkeypatch.setenv("SEMSIM_TRACING__ENDPOINT", endpoint)
    (shown,) = [line.value for line in setting_origins({}) if line.name == "tracing.endpoint"]
    assert ("host" in shown, "name" in shown, "pass" in shown, "word" in shown) == (True, False, False, False)


def test_invalid_settings_are_refused(semsim: Semsim, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """A setting that no start would take is an error of one line."""
    monkeypatch.setenv("SEMSIM_LIMITS__PAIRS", "0")
    shown = semsim("serve", "--print-config")
    assert (shown.returncode, "limits.pairs" in shown.stderr) == (2, True)
