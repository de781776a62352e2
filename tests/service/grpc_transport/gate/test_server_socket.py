"""grpcio listens at a socket that lies nowhere, wherever temporary files lie."""

import asyncio
import tempfile
from pathlib import Path

import grpc
import pytest

from semsim_service.grpc_transport.gate.server_socket import ServerSocket


def test_a_long_path_of_temporary_files_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of a Unix socket is short. A cluster's directory for temporary files need not be."""
    directory = tmp_path / ("long" * 30)
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))

    async def connect() -> str:
        server = grpc.aio.server()
        socket = ServerSocket(lambda path: server.add_insecure_port(f"unix:{path}"))
        await server.start()
        connection, name = socket.connect()
        with connection:
            await server.stop(0)
        socket.close()
        return name

    assert asyncio.run(connect()).startswith("unix-abstract:")
    assert list(directory.iterdir()) == []
