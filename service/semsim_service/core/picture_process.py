"""The program that decodes large pictures, in a process of its own: a decoder that hangs or crashes harms nobody else.

Its standard input is a socket. A request is a header and the bytes of a picture; the answer is the picture's size with
a descriptor of the memory that holds its pixels, or the error. Nothing in an answer is executed, so that a picture
which takes this process over gains nothing in the service.
"""

import os
import signal
import socket
import struct
from mmap import mmap

import numpy as np

from semsim.exceptions import InvalidImage
from semsim.images import DecodeLimits, decode
from semsim_service.core.exact_read import read_exactly

REQUEST = struct.Struct("!QQQd")
"""The bytes of the picture, the limits of its bytes and of its pixels, and the seconds that it may take."""
ANSWER = struct.Struct("!IIQ")
"""The height and the width, both 0 for an error, and the bytes of the text that follows: the error's class, a colon,
and its message."""
LONGEST_TEXT = 1000
"""The bytes of that text."""


def serve(connection: socket.socket) -> None:
    """Decode pictures until the other side closes the connection."""
    while header := read_exactly(connection, REQUEST.size):
        size, max_bytes, max_pixels, seconds = REQUEST.unpack(header)
        data = read_exactly(connection, size)
        # The kernel ends this process after the time, whatever it is at, and whether the service still lives.
        signal.setitimer(signal.ITIMER_REAL, seconds)
        _answer(connection, data, DecodeLimits(max_bytes, max_pixels))
        signal.setitimer(signal.ITIMER_REAL, 0)


def _answer(connection: socket.socket, data: bytes, limits: DecodeLimits) -> None:
    try:
        pixels = decode(data, limits=limits)
    except InvalidImage as error:
        text = f"{type(error).__name__}:{error}".encode()[:LONGEST_TEXT]
        connection.sendall(ANSWER.pack(0, 0, len(text)) + text)
        return
    shared = os.memfd_create("picture", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(shared, pixels.nbytes)
        with mmap(shared, pixels.nbytes) as memory:
            np.frombuffer(memory, dtype=np.uint8)[:] = pixels.reshape(-1)
        socket.send_fds(connection, [ANSWER.pack(pixels.shape[0], pixels.shape[1], 0)], [shared])
    finally:
        os.close(shared)


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    serve(socket.socket(fileno=0))
