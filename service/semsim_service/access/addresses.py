"""Checks the addresses of HTTP and gRPC: they are IP addresses of this machine, free, and different."""

import os
import socket
from contextlib import ExitStack
from ipaddress import ip_address

from semsim.exceptions import InvalidOption
from semsim_service.settings import GRPCSettings


def check_host(host: str, name: str) -> None:
    """Refuse a host that is no IP address, since the servers listen on addresses, not on names.

    Raises:
        InvalidOption: ``host`` is no address. The message calls it ``name``.
    """
    try:
        ip_address(host)
    except ValueError:
        raise InvalidOption(f"expected {name} to be an IP address, got {host}") from None


def check_free(host: str, port: int, grpc: GRPCSettings) -> None:
    """Listen for a moment on every address of the service. Later no process could tell in one line what is wrong.

    Raises:
        InvalidOption: an address is in use, or not of this machine, or given twice.
    """
    with ExitStack() as listening:
        addresses = [(host, port, "")] + ([(grpc.host, grpc.port, " for gRPC")] if grpc.port else [])
        for address, number, purpose in addresses:
            family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
            try:
                listening.enter_context(socket.create_server((address, number), family=family))
            except OSError as error:
                reason = os.strerror(error.errno) if error.errno else "unknown"
                raise InvalidOption(
                    f"expected a free address to listen on{purpose}, got {address} port {number}: {reason}"
                ) from None
