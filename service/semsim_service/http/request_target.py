"""The target of a request as a path, also where a client sends it as a whole URL, as to a proxy (RFC 9112, 3.2.2)."""

import re

from semsim_service.http.refused import RefusedConnection

_ABSOLUTE = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_ORIGIN = (b"/", b"*")


def in_origin_form(target: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    """The path and the query of a target. The host of a whole URL takes the place of the header ``Host``, as it must.

    Args:
        target: the target as it was sent.
        headers: the request's headers, names in lower case; changed where the target names a host.

    Raises:
        RefusedConnection: the URL names no host, or a user, or is not one of HTTP.
    """
    whole = _ABSOLUTE.fullmatch(target)
    if whole is None:
        if not target.startswith(_ORIGIN):
            raise RefusedConnection("expected a path, or a URL of HTTP, got another target")
        return target
    host, rest = whole.groups()
    if not host or b"@" in host:
        raise RefusedConnection("expected a URL of a host, without a user, got another")
    headers[:] = [*((name, value) for name, value in headers if name != b"host"), (b"host", host)]
    return rest if rest.startswith(b"/") else b"/" + rest
