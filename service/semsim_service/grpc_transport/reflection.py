"""The service ``grpc.reflection.v1alpha``, which lists services and messages. It needs no token.

grpcio's own handler answers bytes that are no request with UNKNOWN, and writes a stack trace to the log.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha import reflection_pb2 as pb
from grpc_reflection.v1alpha.reflection import aio

from semsim.exceptions import RequestError
from semsim_service.grpc_transport.calls.caller import Context, Handler, read_caller
from semsim_service.grpc_transport.calls.context import refuse
from semsim_service.grpc_transport.calls.tokenless_calls import Strangers
from semsim_service.grpc_transport.calls.wire import parse
from semsim_service.settings import Limits

NAME: str = reflection.SERVICE_NAME


def reflection_handlers(services: Iterable[str], limits: Limits, strangers: Strangers) -> dict[str, Handler]:
    """The handlers of the methods, by name. ``services`` are the names that it lists."""
    servicer: Any = aio.ReflectionServicer(services)

    async def handle(_: object, context: Context) -> None:
        async def requests() -> AsyncIterator[pb.ServerReflectionRequest]:
            while (message := await strangers.read(context)) is not None:
                yield parse(pb.ServerReflectionRequest, message, limits)

        try:
            with strangers.open():
                async for answer in servicer.ServerReflectionInfo(requests(), context):
                    await context.write(answer.SerializeToString())
        except RequestError as error:
            await refuse(context, read_caller(context), error)

    return {"ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(handle)}
