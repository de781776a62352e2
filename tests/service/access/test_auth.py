"""The bearer token is read, checked, and asked for wherever strangers reach the service."""

from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from semsim.exceptions import InvalidOption, Unauthenticated
from semsim_service.access.auth import Tokens, check_exposure, check_token, read_tokens
from semsim_service.access.tls import check_tls
from semsim_service.settings import AuthSettings, TLSSettings
from tests.service.guarded import TOKEN, Guarded

ANY = "0.0.0.0"  # noqa: S104


def test_exposure_is_allowed_with_a_token_or_on_purpose() -> None:
    """Loopback needs no token. An address beyond it needs one, or the setting that allows strangers."""
    check_exposure(AuthSettings(), ["127.0.0.1", "127.8.9.1", "::1"])
    check_exposure(AuthSettings(token=SecretStr(TOKEN)), [ANY, "::"])
    check_exposure(AuthSettings(anonymous=True), ["10.0.0.1"])
    with pytest.raises(InvalidOption, match=r"on 10\.0\.0\.1, got neither"):
        check_exposure(AuthSettings(), ["127.0.0.1", "10.0.0.1"])


def test_a_token_is_read_from_a_setting_or_a_file(tmp_path: Path) -> None:
    """The token is stripped of blanks. Without a setting there is none."""
    file = tmp_path / "token"
    file.write_text(f"  {TOKEN}\n")
    assert read_tokens(AuthSettings()) == ()
    assert read_tokens(AuthSettings(token=SecretStr(TOKEN))) == (TOKEN,)
    assert read_tokens(AuthSettings(token_file=file)) == (TOKEN,)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "at least 16 characters, which nobody guesses, got 0"),
        (b"\n\n", "got 0"),
        (b"short", "got 5"),
        (b"has a blank in the middle", "letters, digits"),
        ("ein-Schlüssel-den-keiner-rät".encode(), "letters, digits"),
        (b"\xff" * 32, "letters, digits"),
    ],
)
def test_what_is_no_token_is_refused_and_not_repeated(tmp_path: Path, content: bytes, message: str) -> None:
    """A text that is no token is refused: an empty secret must not mean that everybody may ask."""
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(InvalidOption, match=message) as refusal:
        read_tokens(AuthSettings(token_file=file))
    assert not content.strip() or content.decode(errors="replace").strip() not in str(refusal.value)


def test_a_token_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A missing file is refused, and so are two sources at once."""
    with pytest.raises(InvalidOption, match="No such file"):
        read_tokens(AuthSettings(token_file=tmp_path / "nothing"))
    with pytest.raises(InvalidOption, match="got both"):
        read_tokens(AuthSettings(token=SecretStr(TOKEN), token_file=tmp_path / "nothing"))


def test_only_the_token_opens() -> None:
    """Any other header is refused, whatever it is made of. The scheme's case does not matter."""
    check_token((), None)
    check_token((TOKEN,), f"Bearer {TOKEN}")
    check_token((TOKEN,), f"bearer {TOKEN}")
    for header in (None, "", TOKEN, f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", "Bearer é"):
        with pytest.raises(Unauthenticated):
            check_token((TOKEN,), header)


def test_two_tokens_open_while_one_is_exchanged(tmp_path: Path) -> None:
    """Each of two lines of the file is a token. A file that is wrong when it is read again changes nothing."""
    file = tmp_path / "token"
    other = "another-token-of-this-service"
    file.write_text(f"{TOKEN}\n")
    tokens = Tokens(AuthSettings(token_file=file))
    file.write_text(f"{TOKEN}\r\n{other}\n")
    tokens.reload()()
    for token in (TOKEN, other):
        tokens.check(f"Bearer {token}")
    for wrong in ("", f"{TOKEN}\n\n{other}\n", f"{TOKEN}\n{other}\n{TOKEN}x", f"{TOKEN}\nshort"):
        file.write_text(wrong)
        with pytest.raises(InvalidOption):
            tokens.reload()
    file.unlink()
    with pytest.raises(InvalidOption):
        tokens.reload()
    tokens.check(f"Bearer {other}")
    file.write_text(other)
    tokens.reload()()
    tokens.check(f"Bearer {other}")
    with pytest.raises(Unauthenticated):
        tokens.check(f"Bearer {TOKEN}")


def test_a_service_with_a_token_asks_for_it(guarded: Guarded) -> None:
    """Without the token the answer is 401 with the challenge, in the envelope. Probes and metrics are open."""
    with httpx.Client(base_url=guarded.live.url, verify=guarded.trust()) as client:
        for answer in (client.get("/model"), client.post("/score", headers={"authorization": "Bearer wrong"})):
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["error"]["code"] == "unauthenticated"
        assert [client.get(path).status_code for path in ("/livez", "/readyz", "/metrics", "/")] == [200] * 4


def test_files_without_an_end_are_refused() -> None:
    """A device is read no further than a token or a certificate may go."""
    with pytest.raises(InvalidOption, match="other characters"):
        read_tokens(AuthSettings(token_file=Path("/dev/zero")))
    with pytest.raises(InvalidOption, match="at most 1048576 bytes"):
        check_tls(TLSSettings(certificate=Path("/dev/zero"), key=Path("/dev/zero")))
