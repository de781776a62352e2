"""Where a service listens that a benchmark starts."""

import random
import socket

_HOST = "127.0.0.1"
# Below those that the system gives to connections: a client that calls while nobody listens could take one of these.
_PORTS = range(20_000, 30_000, 2)


def two_free_ports() -> tuple[int, int]:
    """Two of loopback in a row, even and odd, on which nobody listens at the moment."""
    while True:
        port = random.choice(_PORTS)
        try:
            for each in (port, port + 1):
                socket.create_server((_HOST, each)).close()
        except OSError:
            continue
        return port, port + 1
