"""The bearer token: reads it, checks that a caller has it, and refuses to serve strangers without one."""

import hmac
import re
from collections.abc import Callable, Iterable
from ipaddress import ip_address

from semsim.exceptions import InvalidOption, Unauthenticated
from semsim_service.settings import AuthSettings

_SHORTEST = 16
# RFC 6750: such a token can stand in a header, and in gRPC's metadata, as it is.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


def read_token(auth: AuthSettings) -> str | None:
    """The token that requests must carry. None = they need none.

    Raises:
        InvalidOption: both settings are given, the file cannot be read, or its content or the setting is no token.
    """
    if auth.token is not None and auth.token_file is not None:
        raise InvalidOption("expected one of auth.token and auth.token_file, got both")
    if auth.token_file is not None:
        try:
            token = auth.token_file.read_bytes().decode(errors="replace").strip()
        except OSError as error:
            raise InvalidOption(
                f"expected auth.token_file to be readable, got {auth.token_file}: {error.strerror}"
            ) from None
        return _checked(token, "auth.token_file")
    return None if auth.token is None else _checked(auth.token.get_secret_value().strip(), "auth.token")


def _checked(token: str, name: str) -> str:
    """The token, if it is one. No message repeats it."""
    if len(token) < _SHORTEST:
        raise InvalidOption(
            f"expected {name} to hold at least {_SHORTEST} characters, which nobody guesses, got {len(token)}"
        )
    if _TOKEN.fullmatch(token) is None:
        raise InvalidOption(f"expected {name} to hold letters, digits and -._~+/ only, got other characters")
    return token


def check_token(expected: str | None, authorization: str | None) -> None:
    """Compare an ``Authorization`` header with the token, in a time that does not tell how much of it is right.

    Raises:
        Unauthenticated: the header is missing, or carries another token.
    """
    if expected is None:
        return
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("expected a header Authorization: Bearer <token>, got none")
    if not hmac.compare_digest(token.strip().encode(errors="surrogateescape"), expected.encode()):
        raise Unauthenticated("expected this service's bearer token, got another")


def authenticator(auth: AuthSettings) -> Callable[[str | None], None]:
    """:func:`check_token` with the service's token, read once.

    Raises:
        InvalidOption: see :func:`read_token`.
    """
    expected = read_token(auth)
    return lambda authorization: check_token(expected, authorization)


def check_exposure(auth: AuthSettings, hosts: Iterable[str]) -> None:
    """Refuse to listen where strangers reach the service and need no token.

    Raises:
        InvalidOption: a host lies beyond loopback, there is no token, and ``auth.anonymous`` does not allow it.
    """
    open_to_others = [host for host in hosts if not ip_address(host).is_loopback]
    if open_to_others and not auth.anonymous and read_token(auth) is None:
        raise InvalidOption(
            f"expected SEMSIM_AUTH__TOKEN or SEMSIM_AUTH__TOKEN_FILE beyond loopback, on {open_to_others[0]}, "
            "got neither; SEMSIM_AUTH__ANONYMOUS=true serves whoever comes"
        )
