"""Requests over gRPC. This module needs grpcio and protobuf."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import httpx
from google.protobuf.message import Message

from semsim.client.answers import read_answer
from semsim.client.chunks import Chunk
from semsim.client.connection import Connection
from semsim.client.grpc_messages import answer_body, model_body, score_request
from semsim.client.grpc_refusals import setback_of
from semsim.client.retrying import Patience, Setback
from semsim.client.service_model import ServiceModel, read_service_model
from semsim.exceptions import BodyTooLarge, InvalidOption
from semsim.pairs import PairFailure
from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim.protos.semsim.v1.scorer_pb2_grpc import ScorerStub
from semsim.scorer import PairScore

_PORTS = {"http": 80, "https": 443}
_CONNECT_MILLISECONDS = 10_000
_OPTIONS = (
    ("grpc.enable_http_proxy", 0),  # private images go to the address that was given
    # Where the service was away, a new connection is tried about as often as a request, not once in two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.min_reconnect_backoff_ms", _CONNECT_MILLISECONDS),
    ("grpc.use_local_subchannel_pool", 1),  # and another client's failures make this one wait no longer
)


class GrpcSender:
    """Sends requests over one kept connection; a :class:`semsim.client.sender.Sender`.

    It uses gRPC's own threads, and no ``grpc.aio``, whose loops disturb one another within a process.

    Args:
        connection: the way to the service.
        controls: False where it is not asked whether a reconstruction is identified.

    Raises:
        InvalidOption: the address has a path, or a certificate cannot be read.
    """

    def __init__(self, connection: Connection, *, controls: bool) -> None:
        self._connection = connection
        self._controls = controls
        self._patience = Patience(connection.patience)
        self._metadata = () if connection.token is None else (("authorization", f"Bearer {connection.token}"),)
        self._channel = _channel(connection)
        self._stub = ScorerStub(self._channel)  # type: ignore[no-untyped-call]  # generated code has no types

    async def ask_model(self) -> ServiceModel:
        """The service's model and limits."""
        return read_service_model(model_body(await self._send(self._stub.GetModel, pb.GetModelRequest())))

    async def score(self, chunk: Chunk, model: ServiceModel) -> list[PairScore | PairFailure]:
        """The outcomes of a chunk's pairs, in their order."""
        request, ids = score_request(chunk, controls=self._controls)
        size = request.ByteSize()
        if size > model.limits.body_bytes:
            raise BodyTooLarge(f"expected at most {model.limits.body_bytes} bytes a request, got {size}")
        return read_answer(answer_body(await self._send(self._stub.Score, request)), ids, model)

    async def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    async def _send(self, method: Any, request: Message) -> Any:
        async def attempt() -> Any | Setback:
            loop = asyncio.get_running_loop()
            ended = asyncio.Event()

            def tell(_: object) -> None:
                with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(ended.set)

            call = method.future(request, timeout=self._connection.timeout, metadata=self._metadata)
            call.add_done_callback(tell)
            try:
                await ended.wait()
            finally:
                call.cancel()  # without effect on a call that has ended
            if call.code() is grpc.StatusCode.OK:
                return call.result()
            return setback_of(self._connection.url, call)

        return await self._patience.answer(attempt)


def _channel(connection: Connection) -> grpc.Channel:
    url = httpx.URL(connection.url)
    if url.path not in ("", "/"):
        raise InvalidOption(f"expected the URL http://HOST:PORT or https://HOST:PORT of gRPC, got {connection.url}")
    host = f"[{url.host}]" if ":" in url.host else url.host
    target = f"dns:///{host}:{url.port or _PORTS[url.scheme]}"
    if url.scheme == "http":
        return grpc.insecure_channel(target, options=_OPTIONS)
    connection.trust()  # refuses files that hold no certificates, at which gRPC would only fail to connect
    certificate = _content(connection.certificate)
    key = _content(connection.key) or certificate
    return grpc.secure_channel(
        target, grpc.ssl_channel_credentials(_content(connection.ca), key, certificate), options=_OPTIONS
    )


def _content(path: Path | str | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
