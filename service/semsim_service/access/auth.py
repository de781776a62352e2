"""The bearer tokens: reads them, checks that a caller has one, and refuses to serve strangers without any.

There may be two at once. So callers can be given the new one before the old one is taken away.
"""

import hmac
import re
from collections.abc import Callable, Iterable
from ipaddress import ip_address

from semsim.exceptions import InvalidOption, Unauthenticated
from semsim_service.settings import AuthSettings

_SHORTEST = 16
_MOST = 2
_FILE_BYTES = 2**16
# RFC 6750: such a token can stand in a header, and in gRPC's metadata, as it is.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class Tokens:
    """The tokens of the service.

    Args:
        auth: the settings that name them.

    Raises:
        InvalidOption: see :func:`read_tokens`.
    """

    def __init__(self, auth: AuthSettings) -> None:
        self._auth = auth
        self._accepted = read_tokens(auth)

    def reload(self) -> Callable[[], None]:
        """Read the tokens again. Returns what puts them in place.

        Raises:
            InvalidOption: see :func:`read_tokens`, or there are none any more. Nothing has changed then.
        """
        accepted = read_tokens(self._auth)
        if self._accepted and not accepted:
            raise InvalidOption("expected a token as before, got none")
        return lambda: setattr(self, "_accepted", accepted)

    def check(self, authorization: str | None) -> None:
        """Check an ``Authorization`` header.

        Raises:
            Unauthenticated: see :func:`check_token`.
        """
        check_token(self._accepted, authorization)


def read_tokens(auth: AuthSettings) -> tuple[str, ...]:
    """The tokens of which requests must carry one, a line each. None of them = requests need none.

    Raises:
        InvalidOption: both settings are given, the file cannot be read, a line is no token, or there are more than two.
    """
    if auth.token is not None and auth.token_file is not None:
        raise InvalidOption("expected one of auth.token and auth.token_file, got both")
    if auth.token_file is not None:
        try:
            with auth.token_file.open("rb") as file:  # it may be a device, which has no end
                text = file.read(_FILE_BYTES).decode(errors="replace")
        except OSError as error:
            raise InvalidOption(
                f"expected auth.token_file to be readable, got {auth.token_file}: {error.strerror}"
            ) from None
        return _checked(text, "auth.token_file")
    return () if auth.token is None else _checked(auth.token.get_secret_value(), "auth.token")


def _checked(text: str, name: str) -> tuple[str, ...]:
    """The tokens of a text, if all are some. No message repeats one."""
    tokens = tuple(line.strip() for line in text.strip().split("\n"))
    if len(tokens) > _MOST:
        raise InvalidOption(f"expected {name} to hold one token, or {_MOST} in a line each, got {len(tokens)} lines")
    for token in tokens:
        if len(token) < _SHORTEST:
            raise InvalidOption(
                f"expected {name} to hold at least {_SHORTEST} characters, which nobody guesses, got {len(token)}"
            )
        if _TOKEN.fullmatch(token) is None:
            raise InvalidOption(f"expected {name} to hold letters, digits and -._~+/ only, got other characters")
    return tokens


def check_token(accepted: tuple[str, ...], authorization: str | None) -> None:
    """Compare an ``Authorization`` header with the tokens, in a time that does not tell how much of it is right.

    Raises:
        Unauthenticated: the header is missing, or carries another token.
    """
    if not accepted:
        return
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("expected a header Authorization: Bearer <token>, got none")
    given = token.strip().encode(errors="surrogateescape")
    matches = [hmac.compare_digest(given, each.encode()) for each in accepted]  # all are compared, whichever is right
    if not any(matches):
        raise Unauthenticated("expected this service's bearer token, got another")


def check_exposure(auth: AuthSettings, hosts: Iterable[str]) -> None:
    """Refuse to listen where strangers reach the service and need no token.

    Raises:
        InvalidOption: a host lies beyond loopback, there is no token, and ``auth.anonymous`` does not allow it.
    """
    open_to_others = [host for host in hosts if not ip_address(host).is_loopback]
    if open_to_others and not auth.anonymous and not read_tokens(auth):
        raise InvalidOption(
            f"expected SEMSIM_AUTH__TOKEN or SEMSIM_AUTH__TOKEN_FILE beyond loopback, on {open_to_others[0]}, "
            "got neither; SEMSIM_AUTH__ANONYMOUS=true serves whoever comes"
        )
