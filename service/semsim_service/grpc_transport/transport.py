"""The gRPC server. It runs on the event loop of the HTTP server, and stops without losing an answer."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc

from semsim.exceptions import InvalidOption
from semsim_service.core.scoring import ScoringCore
from semsim_service.grpc_transport import health, reflection
from semsim_service.grpc_transport.calls.caller import Handler
from semsim_service.grpc_transport.calls.calls_for_scores import CallsForScores
from semsim_service.grpc_transport.calls.drain import Drain
from semsim_service.grpc_transport.calls.tokenless_calls import Strangers
from semsim_service.grpc_transport.gate.gate_listener import Gate
from semsim_service.grpc_transport.gate.server_socket import ServerSocket
from semsim_service.grpc_transport.gate.server_tls import ServerTLS
from semsim_service.grpc_transport.listening import channel_options
from semsim_service.grpc_transport.open_inference import inference_service
from semsim_service.grpc_transport.refusing_server import make_server
from semsim_service.grpc_transport.semsim_v1 import scorer_service
from semsim_service.settings import Settings

# The time for refusals on their way.
_LEAVING_SECONDS = 0.5
"""The seconds in which callers that are asked to leave learn it, and their calls on the way arrive."""
_LAST_SECONDS = 0.2
_LOOK_SECONDS = 0.05

Services = dict[str, dict[str, Handler]]
"""The handlers of methods by name, by service."""

logger = logging.getLogger("semsim.service")


class GRPCTransport:
    """The server. It belongs to the event loop in which it is started."""

    def __init__(self) -> None:
        self._server: grpc.aio.Server | None = None
        self._health: health.Health | None = None
        self._drain: Drain | None = None
        self._watch: asyncio.Task[None] | None = None
        self._gate: Gate | None = None
        self._tls: ServerTLS | None = None
        self.port = 0
        """The port that the server listens on. 0 = none."""

    async def start(self, core: ScoringCore, settings: Settings) -> None:
        """Listen on the address of ``settings.grpc``, if it has a port. ``core`` is ready.

        Raises:
            InvalidOption: the address is in use or not this machine's, or a certificate cannot be used.
        """
        if settings.grpc.port == 0:
            return
        drain, strangers = Drain(), Strangers(settings.queue.bytes)
        services = {scorer_service.NAME: scorer_service.scorer_handlers(core, drain, strangers)}
        services[inference_service.NAME] = inference_service.Inference(core, drain, strangers).handlers()
        checks = health.Health(services, core.limits, strangers, lambda: core.is_stuck)
        services[health.NAME] = checks.handlers()
        listed = (*services, *reflection.NAMES)
        reflecting = reflection.reflection_handlers(listed, core.limits, strangers)
        services |= dict.fromkeys(reflection.NAMES, reflecting)
        self._health, self._drain = checks, drain
        self._tls = ServerTLS(settings.tls)
        scoring = (f"/{scorer_service.NAME}/Score", f"/{inference_service.NAME}/ModelInfer")
        self._gate = gate = Gate(settings, self._tls, CallsForScores(core, drain, scoring))
        self.port = gate.port
        self._server, opened = await _serve(services, settings)
        gate.open(opened)
        self._watch = asyncio.create_task(self._keep_serving(services, settings, gate))

    async def _keep_serving(self, services: Services, settings: Settings, gate: Gate) -> None:
        """Start the server again whenever it has stopped by itself.

        grpcio's server stops at whatever it did not expect. The calls that it had begun go on.
        """
        failure_logged = False
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._server is None or is_running(self._server):
                failure_logged = False
                continue
            if not failure_logged:
                logger.error("the gRPC server stopped by itself: it is started again")
            try:
                self._server, opened = await _serve(services, settings)
                gate.open(opened)
            except Exception as error:  # no descriptor is left: that may pass
                if not failure_logged:
                    logger.error(
                        "the gRPC server could not be started again, more attempts follow: %s",
                        error,
                        exc_info=not isinstance(error, InvalidOption),  # its message says enough
                    )
                failure_logged = True

    def reload(self) -> Callable[[], None]:
        """Read the certificates again. Returns what puts them in place. Connections that are open go on.

        Raises:
            InvalidOption: a file cannot be used. Nothing has changed then.
        """
        return (lambda: None) if self._tls is None else self._tls.reload()

    async def stop(self, grace: float) -> None:
        """Take no more calls, answer those in progress for up to ``grace`` seconds, and close. May be called twice."""
        server, checks, drain, gate = self._server, self._health, self._drain, self._gate
        if server is None or checks is None or drain is None or gate is None:
            return
        self._server = None
        if self._watch is not None:
            self._watch.cancel()
        checks.stop()
        # grpcio's own stop cancels the calls that it has taken and not yet handed over, however long its grace. So they
        # are handed over first, and refused with a status that lets their clients go elsewhere.
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await gate.send_away(min(_LEAVING_SECONDS, grace / 4))
                await drain.close()
                gate.stop()  # what a caller sends from now on reaches no server, and its client goes elsewhere
                await drain.close()
        gate.stop()
        # A call that is still open is past the grace, or about to be refused, or nothing happens on it.
        await server.stop(min(_LAST_SECONDS, grace))
        await gate.close(min(_LAST_SECONDS, grace))


async def _serve(services: Services, settings: Settings) -> tuple[grpc.aio.Server, ServerSocket]:
    """Start a server. Returns it and the socket by which it is reached."""
    server = make_server(channel_options(settings), services)
    opened = ServerSocket(lambda path: server.add_insecure_port(f"unix:{path}"))
    await server.start()
    return server, opened


def is_running(server: grpc.aio.Server) -> bool:
    """True where a server takes calls, or where a later grpcio does not tell."""
    inner: Any = getattr(server, "_server", None)
    return bool(inner.is_running()) if hasattr(inner, "is_running") else True
