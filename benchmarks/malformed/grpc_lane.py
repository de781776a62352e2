"""Sending malformed gRPC calls, many at once."""

import asyncio
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from benchmarks.harness.clients import ERROR_CODE, OPTIONS, channel, trailing
from benchmarks.harness.log import traces_in
from benchmarks.malformed.findings import Block, Findings
from benchmarks.malformed.http_lanes import at_once
from benchmarks.malformed.inputs.grpc_calls import Call

_AT_ONCE = 64
_CHANNELS = 4
_STREAMS_AT_ONCE = 16
_PATIENCE_SECONDS = 30.0
_FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.UNAVAILABLE,  # a connection that broke, of a server or a worker that is gone
    }
)


class Caller:
    """Makes calls over a few connections."""

    def __init__(self, target: str) -> None:
        self._channels = [channel(target) for _ in range(_CHANNELS)]
        self._turn = itertools.cycle(self._channels)
        # A stream that the service ends early, while its client still sends, keeps its status only in gRPC's
        # synchronous client: the other one reports an error of its own.
        self._streams = grpc.insecure_channel(target, options=OPTIONS)
        self._threads = ThreadPoolExecutor(_STREAMS_AT_ONCE, "stream")

    async def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown()
        self._streams.close()
        for one in self._channels:
            await one.close()

    async def send(self, block: Block, calls: Sequence[Call], findings: Findings) -> None:
        """Make the calls, many at once, and note how each ended."""

        async def make(numbered: tuple[int, Call]) -> None:
            index, call = numbered
            try:
                if call.streams:
                    told = await asyncio.get_running_loop().run_in_executor(self._threads, self._stream, call)
                else:
                    told = await self._unary(call)
            except grpc.RpcError as error:
                findings.note(block, index, *_ended(error, call))
                return
            shown = traces_in(told)
            findings.note(block, index, "OK", f"an answer shows {shown}" if shown else None)

        await at_once(_AT_ONCE, enumerate(calls), make)

    def _stream(self, call: Call) -> bytes:
        method: Any = self._streams.stream_stream(call.method)
        return b"".join(method(iter(call.messages), timeout=_PATIENCE_SECONDS))

    async def _unary(self, call: Call) -> bytes:
        method, seconds = next(self._turn).unary_unary(call.method), call.seconds or _PATIENCE_SECONDS
        answer: bytes = await method(call.messages[0], metadata=call.metadata, timeout=seconds)
        return answer


def _ended(error: Any, call: Call) -> list[str]:
    """How a call ended that got no answer, and what is wrong with that."""
    code, details = trailing(error, ERROR_CODE), error.details() or ""
    told = [f"{error.code().name} {code}" if code else error.code().name]
    if error.code() in _FAULTS:
        told.append(f"{told[0]}: {details[:200]}")
    elif error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and call.seconds is None:
        told.append(f"no answer within {_PATIENCE_SECONDS:g} s")
    if shown := traces_in(details.encode()):
        told.append(f"the error shows {shown}: {details[:200]}")
    return told
