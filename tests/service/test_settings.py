"""Settings come from the environment and a file. Wrong ones stop the start."""

import os
from pathlib import Path

import pytest

from semsim.exceptions import InvalidOption
from semsim_service.settings import Settings, load_settings


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("SEMSIM_LIMITS__PAIR", "SEMSIM_LIMITS__PAIRS"),
        ("SEMSIM_LIMIT__PAIRS", "SEMSIM_LIMITS__PAIRS"),
        ("SEMSIM_ARTEFACT", "SEMSIM_ARTIFACT"),
        ("semsim_artifact", "SEMSIM_ARTIFACT"),
        ("SEMSIM_CONFIG_FILE", "SEMSIM_CONFIG"),
    ],
)
def test_a_misspelt_variable_is_named_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, name: str, nearest: str
) -> None:
    """A variable SEMSIM_* that is no setting stops the start, with the name that was likely meant."""
    monkeypatch.setenv(name, "1")
    with pytest.raises(InvalidOption, match=rf"expected .* got {name}; did you mean {nearest}\?"):
        load_settings()


@pytest.mark.parametrize(
    "name",
    ["SEMSIM_DATA", "SEMSIM_SERVICE_HOST", "SEMSIM_SERVICE_PORT_HTTP", "SEMSIM_PORT", "SEMSIM_API_PORT_3000_TCP_ADDR"],
)
def test_variables_that_others_set_are_let_be(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The data directory of the tests and what Kubernetes injects are no misspelt settings."""
    monkeypatch.setenv(name, "tcp://10.0.0.1:3000")
    assert load_settings() == Settings()


def test_a_port_of_our_own_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """SEMSIM_PORT with another value than Kubernetes' stops the start, since the port is an option."""
    monkeypatch.setenv("SEMSIM_PORT", "8080")
    with pytest.raises(InvalidOption, match="got SEMSIM_PORT"):
        load_settings()


def test_a_group_may_be_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole group of settings can be given as JSON."""
    monkeypatch.setenv("SEMSIM_LIMITS", '{"pairs": 7}')
    assert load_settings().limits.pairs == 7


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("limits: [", "not YAML"),
        ("auth:\n\t- secret", r"not YAML: found character '\\t' .*, line 2$"),
        ("workers: 2\nworkers: 3", "not YAML: expected each key once, got workers twice, line 1$"),
        ("limits: " + "[" * 5000, "not YAML: RecursionError$"),
        ("workers: 2026-99-99", "not YAML: ValueError$"),
        ("- pairs", "holds no names"),
        ("3: 4", "holds no names"),
        ("limits: {pair: 3}", "limits.pair: Extra inputs"),
        ("batch_sise: 3", "batch_sise: Extra inputs"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, message: str
) -> None:
    """A file that is missing, is no YAML or has other names stops the start."""
    path = tmp_path / "semsim.yaml"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SEMSIM_CONFIG", str(path))
    with pytest.raises(InvalidOption, match=f"expected .*{message}"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SEMSIM_LIMITS__PAIRS", "0", "limits.pairs: Input should be"),
        ("SEMSIM_PROVIDERS__ORDER", "cpu", "providers"),
        ("SEMSIM_HTTP__HOSTS", "[" * 100_000, "JSON is nested too deeply"),
        ("SEMSIM_LIMITS__IMAGE_BYTES", "1" + "0" * 20, "limits.image_bytes: Input should be"),
        ("SEMSIM_LIMITS__IMAGE_PIXELS", "1" + "0" * 20, "limits.image_pixels: Input should be"),
    ],
)
def test_a_wrong_value_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
    """A wrong value is told in one line that names the setting."""
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidOption, match=message) as caught:
        load_settings()
    assert "\n" not in str(caught.value)


def test_a_yaml_file_sets_what_the_environment_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calibrated_artifact: Path
) -> None:
    """SEMSIM_CONFIG names a YAML file. The environment wins over it."""
    path = tmp_path / "semsim.yaml"
    path.write_text(
        f"artifact: {calibrated_artifact}\nlimits: {{pairs: 5}}\nproviders: {{order: [cpu]}}\nbatch_size: 8\n"
    )
    monkeypatch.setenv("SEMSIM_CONFIG", str(path))
    monkeypatch.setenv("SEMSIM_BATCH_SIZE", "4")
    settings = Settings()
    assert settings.artifact == calibrated_artifact
    assert settings.limits.pairs == 5
    assert settings.providers.order == ("cpu",)
    assert settings.batch_size == 4


def test_a_pipe_is_refused_as_a_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several processes read the file. All but the first would find a pipe empty, and serve without the token in it."""
    readable, writable = os.pipe()
    with os.fdopen(readable), os.fdopen(writable, "w") as pipe:
        pipe.write("auth: {token: a-token-of-the-file-12345}")
        monkeypatch.setenv("SEMSIM_CONFIG", f"/dev/fd/{readable}")
        with pytest.raises(InvalidOption, match="that can be read again, got a pipe"):
            load_settings()


def test_a_configuration_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device is read no further than a configuration may go."""
    monkeypatch.setenv("SEMSIM_CONFIG", "/dev/zero")
    with pytest.raises(InvalidOption, match="at most 1048576 characters"):
        load_settings()
