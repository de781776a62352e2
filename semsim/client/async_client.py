"""The clients for programs that run an event loop."""

from typing import Unpack

from semsim.client.connection import Connection, ConnectionOptions
from semsim.client.http_sender import HttpSender
from semsim.client.pair_client import PairClient
from semsim.client.sender import Sender
from semsim.exceptions import MissingExtra


class AsyncClient(PairClient):
    """Scores pairs with a service over HTTP.

    Args:
        url: the service's address.
        controls: False where it is not asked whether a reconstruction is identified.
        options: those of :class:`semsim.client.connection.Connection`.

    Raises:
        InvalidOption: the address, a certificate or another option cannot be used.
    """

    def __init__(self, url: str, *, controls: bool = True, **options: Unpack[ConnectionOptions]) -> None:
        connection = Connection(url, **options)
        super().__init__(connection, HttpSender(connection, controls=controls))


class AsyncGrpcClient(PairClient):
    """Scores pairs with a service over gRPC, arrays as raw tensors.

    Args:
        url: the address of gRPC, ``http://HOST:PORT``, or ``https://HOST:PORT`` where it speaks TLS.
        controls: False where it is not asked whether a reconstruction is identified.
        options: those of :class:`semsim.client.connection.Connection`.

    Raises:
        InvalidOption: the address, a certificate or another option cannot be used.
        MissingExtra: grpcio or protobuf is not installed.
    """

    def __init__(self, url: str, *, controls: bool = True, **options: Unpack[ConnectionOptions]) -> None:
        connection = Connection(url, **options)
        super().__init__(connection, _grpc_sender(connection, controls=controls))


def _grpc_sender(connection: Connection, *, controls: bool) -> Sender:
    try:
        from semsim.client.grpc_sender import GrpcSender
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("semsim"):
            raise
        raise MissingExtra(f"scoring over gRPC needs {error.name}: pip install 'semsim[grpc]'") from None
    return GrpcSender(connection, controls=controls)
