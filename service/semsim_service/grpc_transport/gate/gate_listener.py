"""The gate: takes callers' connections, no more than the settings allow, and joins each with grpcio's server."""

import asyncio
import logging
import os
import resource
import socket
from ipaddress import ip_address

from semsim.exceptions import InvalidOption, InvalidRequest
from semsim_service.access.addresses import check_host
from semsim_service.grpc_transport.gate.caller_connection import CallerConnection
from semsim_service.grpc_transport.gate.early_refusals import FullQueue
from semsim_service.grpc_transport.gate.reset_pace import ResetPace
from semsim_service.grpc_transport.gate.server_socket import ServerSocket
from semsim_service.grpc_transport.gate.server_tls import ServerTLS
from semsim_service.settings import Settings

_HANDSHAKE_SECONDS = 10.0
_TELL_SECONDS = 60.0
_BACKLOG = 1024
_TRY_AGAIN_SECONDS = 0.1
DESCRIPTORS = 3
"""The descriptors of a connection: the caller's, and both ends of the one to the server."""

logger = logging.getLogger("semsim.service")


class Gate:
    """Listens for callers. Belongs to one event loop.

    Args:
        settings: the service's settings.
        tls: the TLS of callers.
        queue: refuses calls while it is full.

    Raises:
        InvalidOption: the address is in use, or not this machine's, or none.
    """

    def __init__(self, settings: Settings, tls: ServerTLS, queue: FullQueue) -> None:
        self._listening = listen(settings)
        self._most = min(settings.grpc.connections, _most_connections())
        self._tls = tls
        self._queue = queue
        self._turns = ResetPace()
        self._server: ServerSocket | None = None
        self._open: set[CallerConnection] = set()
        self._places = self._most
        self._joining: set[asyncio.Task[None]] = set()
        self._taking: asyncio.Task[None] | None = None
        self._told = float("-inf")

    @property
    def port(self) -> int:
        """The port that the gate listens on."""
        return int(self._listening.getsockname()[1])

    def open(self, server: ServerSocket) -> None:
        """Join callers with the server from now on. The one before, if any, has stopped."""
        if self._server is not None:
            self._server.close()
        self._server = server
        if self._taking is None:
            self._taking = asyncio.create_task(self._take_all())

    async def send_away(self, seconds: float) -> None:
        """Ask the callers that are there to go elsewhere. What they send before they know, for so long, goes on."""
        for connection in self._open:
            connection.ask_to_leave()
        if self._open:
            await asyncio.sleep(seconds)

    def stop(self) -> None:
        """Take no more callers, and read nothing more from those that are there. Answers go on."""
        if self._taking is not None:
            self._taking.cancel()
        self._listening.close()
        for connection in self._open:
            connection.stop_reading()

    async def close(self, grace: float) -> None:
        """End the connections that the server has not ended within ``grace`` seconds."""
        deadline = asyncio.get_running_loop().time() + grace
        while self._open and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        for connection in tuple(self._open):
            connection.abort()
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _take_all(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                taken, _ = await loop.sock_accept(self._listening)
            except OSError as error:  # no descriptor is left, or the caller has gone again
                self._tell("a connection to gRPC could not be taken: %s", error)
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
                continue
            if self._places == 0:
                taken.close()
                self._tell("expected at most %d connections (grpc.connections), got more: they are closed", self._most)
                continue
            self._places -= 1
            task = asyncio.create_task(self._join(taken))
            self._joining.add(task)
            task.add_done_callback(self._joining.discard)

    async def _join(self, taken: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            if self._server is None:
                raise ConnectionRefusedError
            made, name = self._server.connect()
        except OSError:  # the server has stopped, and is about to be started again
            taken.close()
            self._places += 1
            return
        connection = CallerConnection(name, self._turns, self._queue, lambda cause: self._ended(connection, cause))
        self._open.add(connection)
        context = self._tls.context
        try:
            await loop.create_connection(lambda: connection.server, sock=made)
            patience = None if context is None else _HANDSHAKE_SECONDS
            await loop.connect_accepted_socket(lambda: connection, taken, ssl=context, ssl_handshake_timeout=patience)
        except OSError:  # the handshake failed: ssl.SSLError and TimeoutError are OSErrors
            connection.connection_lost(None)
            taken.close()

    def _ended(self, connection: CallerConnection, cause: InvalidRequest | None) -> None:
        self._open.discard(connection)
        self._places += 1
        if cause is not None:
            self._tell("a connection of gRPC from %s is closed: %s", connection.peer, cause)

    def _tell(self, words: str, *values: object) -> None:
        """Log a warning, at most once a minute: strangers cause it."""
        now = asyncio.get_running_loop().time()
        if now - self._told >= _TELL_SECONDS:
            self._told = now
            logger.warning(words, *values)


def _most_connections() -> int:
    """The most connections in a quarter of the descriptors of this process, so that HTTP has some."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**16 if descriptors == resource.RLIM_INFINITY else max(1, descriptors // 4 // DESCRIPTORS)


def listen(settings: Settings) -> socket.socket:
    """A socket that listens at the address of ``settings.grpc``.

    Raises:
        InvalidOption: the address is in use, or not this machine's, or none.
    """
    host, port = settings.grpc.host, settings.grpc.port
    check_host(host, "grpc.host")
    six = ip_address(host).version == 6
    try:
        # Several workers share the port. A single worker must not, or a second service would take half of its calls
        # unnoticed.
        listening = socket.create_server(
            (host, port),
            family=socket.AF_INET6 if six else socket.AF_INET,
            backlog=_BACKLOG,
            reuse_port=settings.workers > 1,
            dualstack_ipv6=six and ip_address(host).is_unspecified and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "unknown"
        raise InvalidOption(
            f"expected a free address of this machine for gRPC, got {host} port {port}: {reason}"
        ) from None
    listening.setblocking(False)
    return listening
