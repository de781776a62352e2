"""The bytes that a connection of this process has received, as the kernel counts them.

gRPC tells of a message once it is whole. Its connection tells how much of it has come.
"""

import os
import socket
import struct
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from urllib.parse import unquote

_RECEIVED = struct.Struct("=128xQ")
"""``tcpi_bytes_received`` in Linux's ``struct tcp_info``, since 4.1."""
_DESCRIPTORS = Path("/proc/self/fd")


def bytes_received(connection: socket.socket) -> int:
    """The bytes that a connection has received so far. They stay what they were once it is closed."""
    return int(_RECEIVED.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RECEIVED.size))[0])


def find_connection(peer: str) -> socket.socket | None:
    """A second view of the connection to ``peer``, which gRPC names like ``ipv4:1.2.3.4:5``. None where there is none.

    The view must be closed. The connection goes on. Only Linux tells of it.
    """
    host, _, port = unquote(peer).partition(":")[2].rpartition(":")
    if not port.isdecimal() or not _DESCRIPTORS.is_dir():
        return None
    wanted = (host.strip("[]"), int(port))
    for path in _DESCRIPTORS.iterdir():
        try:
            if str(path.readlink()).startswith("socket:"):
                view = socket.socket(fileno=os.dup(int(path.name)))
                if _address(view) == wanted:
                    return view
                view.close()
        except OSError:  # it was closed meanwhile
            continue
    return None


def _address(view: socket.socket) -> tuple[str, int] | None:
    """The address and the port of the other side of a connection over IP."""
    try:
        if view.family not in (socket.AF_INET, socket.AF_INET6):
            return None
        host, port = view.getpeername()[:2]
    except OSError:  # a socket that listens
        return None
    address = ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None  # gRPC listens on both kinds at once
    return str(mapped or host), port
