"""Puts the service's own connections, and its patience with TLS handshakes, into uvicorn, which BentoML configures."""

import inspect
import logging
import resource
from functools import partial
from typing import Any

import uvicorn.config
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from semsim.exceptions import InvalidOption
from semsim_service.http.bounded_connection import BoundedConnection
from semsim_service.http.open_connections import OpenConnections
from semsim_service.observing.refused_requests import RefusedRequests

logger = logging.getLogger("semsim.service")

HANDSHAKE_SECONDS = 10.0
"""The seconds that a TLS handshake may take."""
_OTHER_DESCRIPTORS = 128
"""The descriptors of a worker that are no connections: files and pipes."""
_KNOWN = "scope transport flow logger access_logger access_log default_headers message_event expect_100_continue"
_METHODS = "connection_made connection_lost on_url on_header on_headers_complete on_response_complete _should_upgrade"


class PatientLoop(uvloop.Loop):
    """An event loop whose servers give up a TLS handshake after ten seconds, not sixty."""

    async def create_server(self, *arguments: Any, **options: Any) -> Any:
        """Listen, as the loop does otherwise."""
        if options.get("ssl") is not None:
            options.setdefault("ssl_handshake_timeout", HANDSHAKE_SECONDS)
        return await super().create_server(*arguments, **options)


def check_uvicorn() -> None:
    """Check that uvicorn is one whose connections are known.

    Raises:
        InvalidOption: they are not, and nothing would be bounded.
    """
    parameters = list(inspect.signature(RequestResponseCycle).parameters)
    known = parameters[: len(_KNOWN.split())] == _KNOWN.split() and parameters[-2:] == ["keep_alive", "on_response"]
    known = known and all(callable(getattr(HttpToolsProtocol, name, None)) for name in _METHODS.split())
    known = known and all("auto" in getattr(uvicorn.config, name, ()) for name in ("HTTP_PROTOCOLS", "LOOP_FACTORIES"))
    if not known:
        raise InvalidOption(f"expected a uvicorn whose connections are known, such as 0.54, got {uvicorn.__version__}")


def bound_connections(most: int, grpc: int = 0, refused: RefusedRequests | None = None) -> OpenConnections:
    """Make the servers of this process bound their connections.

    Args:
        most: the most connections, as the settings have it. Fewer descriptors allow fewer.
        grpc: the descriptors of gRPC's connections, which are no more than a quarter of all.
        refused: writes the lines of refused connections; None where none are asked for.
    """
    connections = OpenConnections(_within_descriptors(most, grpc), refused)
    uvicorn.config.HTTP_PROTOCOLS["auto"] = partial(BoundedConnection, connections)  # type: ignore[assignment]
    uvicorn.config.LOOP_FACTORIES["auto"] = lambda **_: PatientLoop  # type: ignore[assignment]
    return connections


def _within_descriptors(most: int, grpc: int) -> int:
    """The most connections that the descriptors of this process allow. Its own limit rises to what it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = max(most + grpc + _OTHER_DESCRIPTORS, 4 * grpc)
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft >= needed:
        return most
    allowed = max(16, min(most, soft - _OTHER_DESCRIPTORS - min(grpc, soft // 4)))
    logger.warning(
        "expected %d file descriptors for %d connections (http.connections), got %d: at most %d connections are open",
        *(needed, most, soft, allowed),
    )
    return allowed
