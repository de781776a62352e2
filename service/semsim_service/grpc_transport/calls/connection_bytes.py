"""The bytes that a connection of this process has received, as the kernel counts them.

gRPC tells of a message once it is whole. Its connection tells how much of it has come. Only Linux tells that.
"""

import ctypes
import os
import socket
import struct
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from urllib.parse import unquote

_RECEIVED = struct.Struct("=128xQ")
"""``tcpi_bytes_received`` in Linux's ``struct tcp_info``, since 4.1."""
_ADDRESS_BYTES = 128
_DESCRIPTORS = Path("/proc/self/fd")


def bytes_received(connection: socket.socket) -> int:
    """The bytes that a connection has received so far. They stay what they were once it is closed."""
    return int(_RECEIVED.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RECEIVED.size))[0])


def find_connection(peer: str) -> socket.socket | None:
    """A second view of the connection to ``peer``, which gRPC names like ``ipv4:1.2.3.4:5``. None where there is none.

    The view must be closed. The connection goes on.
    """
    host, _, port = unquote(peer).partition(":")[2].rpartition(":")
    if not port.isdecimal() or not _DESCRIPTORS.is_dir():
        return None
    for descriptor in _connected_to(int(port)):
        try:
            view = socket.socket(fileno=os.dup(descriptor))
        except OSError:  # it was closed meanwhile
            continue
        if _is_connected_to(view, host.strip("[]"), int(port)):
            return view
        view.close()
    return None


def _connected_to(port: int) -> list[int]:
    """The descriptors of this process that are connected to some host's port, of an address over IP."""
    address, size = ctypes.create_string_buffer(_ADDRESS_BYTES), ctypes.c_uint()
    getpeername, wanted = ctypes.CDLL(None).getpeername, struct.pack("!H", port)
    descriptors = []
    for name in os.listdir(_DESCRIPTORS):  # noqa: PTH208  # there may be thousands, and the event loop waits
        size.value = _ADDRESS_BYTES
        # Both kinds of addresses over IP have their port behind two bytes of their kind.
        if getpeername(int(name), address, ctypes.byref(size)) == 0 and address.raw[2:4] == wanted:
            descriptors.append(int(name))
    return descriptors


def _is_connected_to(view: socket.socket, host: str, port: int) -> bool:
    try:
        if view.family not in (socket.AF_INET, socket.AF_INET6):
            return False
        other, its_port = view.getpeername()[:2]
    except OSError:  # it was closed meanwhile
        return False
    address = ip_address(other)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None  # gRPC listens on both kinds at once
    return (str(mapped or other), its_port) == (host, port)
