"""The other side of a connection, as the log names it."""

import asyncio
from typing import Any

from semsim_service.access.certificates import certificate_name
from semsim_service.core.call import Source


def name_client(scope: Any, transport: asyncio.BaseTransport) -> None:
    """Put the name in the client's certificate into a request's scope, as ASGI's TLS extension has it."""
    connection = transport.get_extra_info("ssl_object")
    name = None if connection is None else certificate_name(connection.getpeercert())
    if name is not None:
        scope.setdefault("extensions", {})["tls"] = {"client_cert_name": name}


def source_of(scope: Any) -> Source:
    """The place that a request comes from."""
    host, port = scope.get("client") or ("", 0)
    peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    name = scope.get("extensions", {}).get("tls", {}).get("client_cert_name")
    return Source(peer if host else None, name, scope["path"])
