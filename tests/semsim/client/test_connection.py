"""The options of a connection, and the time that a service asks a client to wait."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from semsim.client import Client
from semsim.client.connection import Connection
from semsim.client.refusals import error_of, refusal_of, retry_after
from semsim.exceptions import ErrorCode, InvalidAnswer, InvalidOption, NotReady, SemSimError, TruncatedImage
from semsim.pairs import PairFailure


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"url": "127.0.0.1:3000"}, "http://HOST:PORT"),
        ({"url": "http://"}, "http://HOST:PORT"),
        ({"url": "http://[::1"}, "cannot be read"),
        ({"url": "https://a:b@c"}, "without a user"),
        ({"url": "https://c?d=e"}, "without a user"),
        ({"url": "https://c", "token": "two words"}, "a token of letters"),
        ({"url": "https://c", "token": ""}, "a token of letters"),
        ({"url": "https://c", "key": "key.pem"}, "the key alone"),
        ({"url": "https://c", "timeout": 0}, "timeout > 0"),
        ({"url": "https://c", "patience": float("nan")}, "patience >= 0"),
        ({"url": "https://c", "concurrency": 0}, "concurrency >= 1"),
        ({"url": "https://c", "ca": "no-such-file"}, "PEM files"),
        ({"url": "https://c", "ca": "pyproject.toml"}, "PEM files"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], match: str) -> None:
    """The error names what was expected, and no secret."""
    with pytest.raises(InvalidOption, match=match):
        Client(**options)


def test_a_connection_does_not_show_its_token() -> None:
    """A log of the options holds no secret."""
    assert "secret" not in repr(Connection("https://c", token="secret-token-of-somebody"))  # noqa: S106


def test_proxies_and_credentials_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Images go to the address that was given, with the token that was given."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    (tmp_path / ".netrc").write_text("machine c login a password b")
    monkeypatch.setenv("HOME", str(tmp_path))
    client = Connection("http://c").open()
    assert not client.trust_env
    assert "authorization" not in client.headers


@pytest.mark.parametrize(
    ("value", "seconds"), [("3", 3), ("0", 0), ("", None), ("soon", None), ("-1", None), ("²", None), ("9" * 99, 1e9)]
)
def test_retry_after_is_a_number_of_seconds(value: str, seconds: float | None) -> None:
    """Anything else asks for nothing."""
    headers = [(b"retry-after", value.encode())]
    assert retry_after(httpx.Response(429, headers=headers)) == pytest.approx(seconds, abs=1)


def test_retry_after_may_be_a_date() -> None:
    """The wait ends at the date; one in the past is over."""
    for seconds in (30, -30):
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
        waited = retry_after(httpx.Response(503, headers={"retry-after": date}))
        assert waited == pytest.approx(max(0, seconds), abs=2)


def test_refusals_are_errors_of_the_tree() -> None:
    """The code says which one, else the status; a message cannot control a terminal."""
    known = httpx.Response(503, json={"error": {"code": "not_ready", "message": "\x1b[31m" + "x" * 9999}})
    error = refusal_of(known)
    assert type(error) is NotReady
    assert "\x1b" not in str(error)
    assert len(str(error)) < 1000
    assert type(refusal_of(httpx.Response(503, text="no"))) is NotReady
    for body in (b"[]", b'{"error": 1}', b'{"error": {"code": "no-such-code", "message": ""}}', b"\xff"):
        assert type(refusal_of(httpx.Response(418, content=body))) is InvalidAnswer


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_failure_of_a_pair_has_an_error(code: ErrorCode) -> None:
    """The error of a failed pair has its code, as far as an error of the tree has."""
    error = error_of(PairFailure(code, "expected this, got that"))
    assert isinstance(error, SemSimError)
    assert error.code is code or type(error) is SemSimError
    assert type(error_of(PairFailure(ErrorCode.TRUNCATED_IMAGE, ""))) is TruncatedImage


def test_a_closed_client_is_refused() -> None:
    """It can be closed twice."""
    client = Client("http://127.0.0.1:1")
    client.close()
    client.close()
    with pytest.raises(InvalidOption, match="an open client"):
        client.model()
