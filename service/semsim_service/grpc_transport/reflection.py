"""The services ``grpc.reflection.v1`` and ``v1alpha``, which list services and messages. They need no token.

Both speak the same messages. Clients ask for v1 first; grpcio has v1alpha alone. Its own handler answers bytes that are
no request with UNKNOWN, and writes a stack trace to the log.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, text_format
from grpc_reflection.v1alpha import reflection_pb2 as pb
from grpc_reflection.v1alpha.reflection import aio

from semsim.exceptions import RequestError
from semsim_service.grpc_transport.calls.caller import Context, Handler, read_caller
from semsim_service.grpc_transport.calls.context import refuse
from semsim_service.grpc_transport.calls.tokenless_calls import Strangers
from semsim_service.grpc_transport.calls.wire import parse
from semsim_service.settings import Limits

_ALPHA, _FIRST = "grpc.reflection.v1alpha", "grpc.reflection.v1"
NAMES: tuple[str, ...] = tuple(f"{package}.ServerReflection" for package in (_FIRST, _ALPHA))


def reflection_handlers(services: Iterable[str], limits: Limits, strangers: Strangers) -> dict[str, Handler]:
    """The handlers of the methods, by name. ``services`` are the names that it lists."""
    _describe_v1()
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


def _describe_v1() -> None:
    """Add the description of v1, which clients may ask for, made of that of v1alpha, to those of this process."""
    pool = descriptor_pool.Default()
    with suppress(KeyError):
        pool.FindServiceByName(f"{_FIRST}.ServerReflection")
        return
    content = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(content)
    text = text_format.MessageToString(content).replace(_ALPHA, _FIRST).replace("/v1alpha/", "/v1/")
    pool.AddSerializedFile(text_format.Parse(text, descriptor_pb2.FileDescriptorProto()).SerializeToString())
