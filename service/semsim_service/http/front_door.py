"""The checks of every HTTP request before its endpoint: its path, its headers, the host and the page that it is for.

Where no token and no certificate tells who calls, the address is all that the service trusts. A web page that a user of
this machine visits comes from the same address: by a name that its owner lets lead here (DNS rebinding) it could read
answers, and from its own origin it could post. The names of the request tell both.
"""

import re
from dataclasses import replace
from functools import cache
from ipaddress import ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from semsim.exceptions import Forbidden, InvalidRequest, NotFound, Overloaded, RequestError
from semsim_service.http.errors import refusal, status_of
from semsim_service.http.peers import source_of
from semsim_service.observing.refused_requests import RefusedRequests
from semsim_service.settings import Settings
from semsim_service.web_page.static_files import static_files

HEALTH = frozenset({"/livez", "/readyz", "/healthz"})
"""The paths of health checks. Whoever comes may ask them, by any name."""
SCORING = frozenset({"/score", "/v1/score"})
"""The paths that pairs are posted to."""
PATHS = HEALTH | SCORING | {"/model", "/docs.json", "/metrics"}
"""The paths of the service, those of its pages for browsers apart. BentoML would serve more."""

_ONCE = (
    *(b"host", b"origin", b"authorization", b"content-type", b"content-encoding"),
    *(b"x-semsim-shape", b"x-semsim-originals", b"x-semsim-controls"),
)
"""The headers of which two would say two things."""
_LOOPBACK = "localhost"
_AUTHORITY = re.compile(r"(?:\[([^\[\]]*:[^\[\]]*)\]|([^:\[\]]*))(?::[0-9]*)?")
_AUTHORITY = re.compile(r"(?:\[([0-9a-f:.%]*:[0-9a-z:.%]*)\]|([^:\[\]@]*))(?::[0-9]*)?")


class FrontDoor:
    """Refuses requests that no endpoint should see.

    Args:
        app: the application behind it.
        settings: which hosts are allowed, whether callers show who they are, and whether refusals are logged.
        score: answers the POSTs of pairs, which are most requests, in the application's place; None = it does.
    """

    def __init__(self, app: ASGIApp, settings: Settings, score: ASGIApp | None = None) -> None:
        self.app = app
        self._score = score or app
        self._paths = PATHS | static_files(settings).keys()
        self._hosts = frozenset(host.lower() for host in settings.http.hosts)
        known_callers = settings.auth.token or settings.auth.token_file or settings.tls.certificate is not None
        self._checks_host = bool(self._hosts) or not known_callers
        self._refused = RefusedRequests() if settings.log.requests else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refusal, or pass the request on."""
        if scope["type"] == "http":
            try:
                self._check(scope)
            except RequestError as error:
                self._log(scope, error)
                await refusal(error)(scope, receive, send)
                return
            if scope["method"] == "POST" and scope["path"] in SCORING:
                await self._score(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _log(self, scope: Scope, error: RequestError) -> None:
        if self._refused is None:
            return
        source = source_of(scope)
        if source.path not in self._paths:  # whatever it holds, perhaps of an image, is no line of the log
            source = replace(source, path=None)
        self._refused.log(source, error.code, status_of(error.code))

    def _check(self, scope: Scope) -> None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        names = [name for name, _ in headers]
        repeated = _ONCE if len(set(names)) < len(names) else ()
        for name in repeated:
            if names.count(name) > 1:
                raise InvalidRequest(f"expected one header {name.decode().title()}, got {names.count(name)}")
        if b"sec-websocket-key" in names:
            raise InvalidRequest("expected a request, got the handshake of a WebSocket, which this service has none of")
        if scope["path"] not in self._paths:
            raise NotFound("expected a path of this service, such as POST /score or GET /model; see /docs.json")
        if scope["path"] in HEALTH:
            return
        values = dict(headers)
        host = values.get(b"host", b"").decode("latin-1").lower()
        if not host and scope["http_version"] == "1.1":
            raise InvalidRequest("expected a header Host, got none")
        if host and self._checks_host and not self._allows(host, scope["server"]):
            raise Forbidden("expected a Host of this service, got another; SEMSIM_HTTP__HOSTS allows more")
        origin = values.get(b"origin")
        if origin is not None and not self._is_own(origin.decode("latin-1").lower(), host):
            raise Forbidden("expected no Origin, or this service's, got another; SEMSIM_HTTP__HOSTS allows more")

    def _allows(self, host: str, server: tuple[str, int | None] | None) -> bool:
        name = _name(host)
        if name in self._hosts or name.removesuffix(".") == _LOOPBACK:
            return True
        try:
            address = ip_address(name)
        except ValueError:
            return False
        # Nobody can let an address lead elsewhere. Where the service listens on loopback, no other address leads here.
        return address.is_loopback or server is None or not _is_loopback(server[0])

    def _is_own(self, origin: str, host: str) -> bool:
        """True for a page that the service gave itself, and for those of hosts that are allowed by name."""
        authority = origin.partition("://")[2]
        return bool(authority) and (authority == host or _name(authority) in self._hosts)


async def too_many_connections(scope: Scope, receive: Receive, send: Send) -> None:
    """The application of a connection that is kept for health checks, for any other request."""
    response = refusal(Overloaded("expected fewer open connections, got as many as http.connections allows", 1))
    response.headers["connection"] = "close"
    await response(scope, receive, send)


@cache
def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:  # a socket of another kind
        return True


def _name(authority: str) -> str:
    """The host of an authority, without its port and the brackets of IPv6; empty where it is none."""
    parts = _AUTHORITY.fullmatch(authority)
    return (parts[1] or parts[2]) if parts else ""
