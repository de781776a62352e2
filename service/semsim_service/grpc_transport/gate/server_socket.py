"""The socket between the gate and grpcio's server, which nobody else can open."""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from semsim.exceptions import InvalidOption


class ServerSocket:
    """A Unix socket without a name on the disk: the gate keeps a descriptor of it, and its file is gone.

    Args:
        listen: makes the server listen at a path.

    Raises:
        InvalidOption: this system is not Linux, or has no directory for temporary files.
    """

    def __init__(self, listen: Callable[[Path], object]) -> None:
        if sys.platform != "linux":
            raise InvalidOption(f"expected Linux for gRPC, got {sys.platform}; grpc.port=0 serves HTTP alone")
        try:
            directory = Path(tempfile.mkdtemp(prefix="semsim-grpc-"))  # nobody else may look into it
        except OSError as error:
            raise InvalidOption(f"expected a directory for temporary files for gRPC, got: {error}") from None
        inside = os.open(directory, os.O_PATH)
        try:
            listen(
                Path(f"/proc/self/fd/{inside}/server")
            )  # a socket's path has 107 bytes, the directory's may have more
            self._descriptor = os.open(directory / "server", os.O_PATH)
        finally:
            os.close(inside)
            shutil.rmtree(directory)

    def connect(self) -> tuple[socket.socket, str]:
        """A new connection to the server, and the name that grpcio gives it.

        Raises:
            OSError: the server does not listen, or has too many connections to take.
        """
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.setblocking(False)
            connection.bind("")  # Linux chooses a name that no other open socket has
            connection.connect(f"/proc/self/fd/{self._descriptor}")
            return connection, f"unix-abstract:{connection.getsockname()[1:].decode()}"
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)
