"""grpcio's asyncio server, made to refuse calls of unknown methods itself, whatever bytes their path is made of.

grpcio decodes the path of each call in the loop that takes calls, as UTF-8. Any other path ends that loop, and with it
the listener (``AioServer._server_main_loop``, seen in grpcio 1.85). It needs no path for methods that are registered
before the start. So all methods are registered here, and the calls of all others are refused before grpcio looks at
their path.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Any, cast

import grpc
from grpc._cython import cygrpc
from grpc.aio import _server as aio_server

# The hooks of grpcio by which this works. Where one is missing, grpcio's own server is used as it is.
_HOOKS = ("_make_request_call_future", "_request_call", "add_registered_method_handlers")
REFUSES_PATHS = all(hasattr(cygrpc.AioServer, hook) for hook in _HOOKS) and hasattr(cygrpc, "_ServicerContext")
"""True where this grpcio has the hooks, so that no path stops the server."""

Options = list[tuple[str, int]]

logger = logging.getLogger("semsim.service")


def make_server(options: Options, services: dict[str, dict[str, Any]]) -> grpc.aio.Server:
    """A server that is not started yet, with the handlers of its methods by name, by service."""
    if not REFUSES_PATHS:
        logger.warning("expected a grpcio like 1.85, got another: a path that is not UTF-8 stops gRPC for a moment")
        plain = grpc.aio.server(options=options)
        for name, handlers in services.items():
            plain.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
        return plain
    original = cygrpc.AioServer
    cygrpc.AioServer = _RefusingServer  # grpcio makes its inner server by this name, and takes no other
    try:
        server: Any = aio_server.Server(None, (), None, options, None, None)
    finally:
        cygrpc.AioServer = original
    for name, handlers in services.items():
        server.add_registered_method_handlers(name, handlers)
    return cast(grpc.aio.Server, server)


class _RefusingServer(cygrpc.AioServer):  # type: ignore[misc]
    def _make_request_call_future(self, method: bytes | None) -> Any:
        """The next call of a registered method. For the others (None) a task that never ends."""
        if method is not None:
            return super()._make_request_call_future(method)
        return asyncio.get_running_loop().create_task(self._refuse_unknown())

    async def _refuse_unknown(self) -> None:
        refusals = set()
        while True:
            state = await self._request_call()
            refusal = asyncio.create_task(_refuse(state))
            refusals.add(refusal)
            refusal.add_done_callback(refusals.discard)


async def _refuse(state: Any) -> None:
    context = cygrpc._ServicerContext(state, None, None, asyncio.get_running_loop())
    with suppress(cygrpc.AbortError, grpc.aio.BaseError):  # it is refused, or its client is gone
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "expected a method of this server, got another")
