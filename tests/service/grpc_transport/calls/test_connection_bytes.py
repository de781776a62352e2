"""A connection is known by the address of its other side, and counts what it has received."""

import socket
import sys
from contextlib import ExitStack

import pytest

from semsim_service.grpc_transport.calls.connection_bytes import bytes_received, find_connection

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a connection has received")


@pytest.mark.parametrize(("host", "name"), [("127.0.0.1", "ipv4:127.0.0.1"), ("::1", "ipv6:%5B::1%5D")])
def test_the_right_one_of_many_connections_is_counted(host: str, name: str) -> None:
    """Each of several connections, IPv4 over IPv6 and IPv6 itself, is told from the others by its port."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("needs a machine with IPv6")
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True))
        port = listening.getsockname()[1]
        clients, servers = [], []
        for _ in range(5):
            clients.append(stack.enter_context(socket.create_connection((host, port))))
            servers.append(stack.enter_context(listening.accept()[0]))
        for number, (client, server) in enumerate(zip(clients, servers, strict=True)):
            client.sendall(bytes(1000 * number))
            received = server.recv(1000 * number, socket.MSG_WAITALL)
            view = find_connection(f"{name}:{client.getsockname()[1]}")
            assert view is not None
            with view:
                assert bytes_received(view) == len(received) == 1000 * number


def test_a_peer_that_is_nobody() -> None:
    """A connection that is gone, and one that is not over IP, is none."""
    assert find_connection("ipv4:127.0.0.1:1") is None
    assert find_connection("unix:") is None
    assert find_connection("ipv4:127.0.0.1:x") is None
