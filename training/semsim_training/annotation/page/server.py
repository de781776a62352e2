"""Serves the page on an address of this machine."""

import contextlib
import socket
from collections.abc import Callable
from ipaddress import ip_address

import uvicorn
from starlette.applications import Starlette

from semsim.exceptions import InvalidOption


def serve(app: Starlette, host: str, port: int, listening: Callable[[str], None]) -> None:
    """Serve until interrupted. ``listening`` is called with the URL, in which a port of 0 is replaced by a free one.

    Raises:
        InvalidOption: ``host`` is no IP address, or the address is in use.
    """
    try:
        family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        raise InvalidOption(f"expected --host to be an IP address, got {host}") from None
    try:
        bound = socket.create_server((host, port), family=family)
    except OSError as error:
        raise InvalidOption(f"expected a free address to listen on, got {host} port {port}: {error.strerror}") from None
    listening(f"http://{f'[{host}]' if family == socket.AF_INET6 else host}:{bound.getsockname()[1]}/")
    # No access log: it would say who looked at what, and when.
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, lifespan="off", timeout_graceful_shutdown=3
    )
    with bound, contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[bound])
