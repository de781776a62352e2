"""The service ``grpc.health.v1``, for load balancers and ``grpc_health_probe``. It needs no token.

grpcio's own forgets its watchers when one of them leaves, and makes a stopping server wait for them.
"""

import asyncio
from collections.abc import Callable, Iterable

import grpc
from grpc_health.v1 import health_pb2 as pb

from semsim.exceptions import InvalidRequest, NotFound, RequestError
from semsim_service.grpc_transport.calls.caller import Context, Handler, read_caller
from semsim_service.grpc_transport.calls.context import refuse
from semsim_service.grpc_transport.calls.tokenless_calls import Strangers, answering_strangers
from semsim_service.grpc_transport.calls.wire import parse
from semsim_service.settings import Limits

NAME: str = pb.DESCRIPTOR.services_by_name["Health"].full_name


class Health:
    """Says SERVING for the whole server (the empty name) and for each service, until the server stops or is stuck.

    Args:
        services: the names of the services.
        limits: the limits of a message.
        strangers: the calls without a token.
        is_stuck: tells whether the server cannot answer any more.
    """

    def __init__(
        self, services: Iterable[str], limits: Limits, strangers: Strangers, is_stuck: Callable[[], bool]
    ) -> None:
        self._known = frozenset(("", *services))
        self._limits = limits
        self._strangers = strangers
        self._is_stuck = is_stuck
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Say NOT_SERVING from now on, and end the watches once they are told."""
        self._stopping.set()

    def handlers(self) -> dict[str, Handler]:
        """The handlers of the methods, by name."""
        return {
            "Check": answering_strangers(self._strangers, self._check),
            "Watch": grpc.stream_stream_rpc_method_handler(self._watch),
        }

    def _check(self, message: bytes) -> bytes:
        service = self._read(message)
        if service not in self._known:
            raise NotFound("expected the name of a service of this server, or none, got another")
        return _message(self._status(service))

    async def _watch(self, _: object, context: Context) -> None:
        try:
            await self._tell(context)
        except RequestError as error:
            await refuse(context, read_caller(context), error)

    async def _tell(self, context: Context) -> None:
        message = await self._strangers.read(context)
        if message is None:
            raise InvalidRequest("expected a message, got none that could be received")
        service = self._read(message)
        # By the protocol the watch of an unknown name goes on, since a service of that name may come.
        status = self._status(service)
        await context.write(_message(status))
        with self._strangers.open():
            await self._stopping.wait()
        if self._status(service) != status:
            await context.write(_message(self._status(service)))

    def _read(self, message: bytes) -> str:
        return parse(pb.HealthCheckRequest, message, self._limits).service

    def _status(self, service: str) -> int:
        if service not in self._known:
            return pb.HealthCheckResponse.SERVICE_UNKNOWN
        out = self._stopping.is_set() or self._is_stuck()
        return pb.HealthCheckResponse.NOT_SERVING if out else pb.HealthCheckResponse.SERVING


def _message(status: int) -> bytes:
    return pb.HealthCheckResponse(status=status).SerializeToString()
