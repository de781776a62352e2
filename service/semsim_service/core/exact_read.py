"""The reading of a known number of bytes, for the processes that a worker starts."""

import socket
from contextlib import suppress


def read_exactly(connection: socket.socket, size: int) -> bytes:
    """So many bytes; none where the connection is closed, or is reset since the worker was killed."""
    data = bytearray(size)
    view, count = memoryview(data), 0
    while count < size:
        received = 0
        with suppress(ConnectionError):
            received = connection.recv_into(view[count:])
        if not received:
            return b""
        count += received
    return bytes(data)
