"""The other side of a connection, as the log names it."""

import asyncio
from typing import Any

from semsim_service.access.certificates import certificate_name
from semsim_service.core.call import Source


def name_client(scope: Any, transport: asyncio.BaseTransport) -> None:
    """Put the name in the client's certificate into a request's scope, as ASGI's TLS extension has it."""
    name = _certificate_name(transport)
    if name is not None:
        scope.setdefault("extensions", {})["tls"] = {"client_cert_name": name}


def source_of(scope: Any) -> Source:
    """The place that a request comes from."""
    name = scope.get("extensions", {}).get("tls", {}).get("client_cert_name")
    return Source(_peer(scope.get("client")), name, scope["path"])


def source_of_connection(client: tuple[str, int] | None, transport: asyncio.BaseTransport) -> Source:
    """The place that a connection comes from whose request is not read."""
    return Source(_peer(client), _certificate_name(transport))


def _peer(client: tuple[str, int] | None) -> str | None:
    host, port = client or ("", 0)
    peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return peer if host else None


def _certificate_name(transport: asyncio.BaseTransport) -> str | None:
    connection = transport.get_extra_info("ssl_object")
    return None if connection is None else certificate_name(connection.getpeercert())
