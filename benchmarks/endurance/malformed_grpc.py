"""Sending malformed gRPC calls, many at once."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from benchmarks.endurance.findings import Findings, traces_in
from benchmarks.endurance.inputs.grpc_calls import Call
from benchmarks.endurance.load.grpc_wire import ERROR_CODE, OPTIONS, channel, trailing, unary

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

    async def send(self, kind: str, first: int, calls: Sequence[Call], findings: Findings) -> None:
        """Make the calls, many at once, and note how each ended."""
        waiting = iter(enumerate(calls))

        async def work(number: int) -> None:
            for index, call in waiting:
                await self._make(self._channels[number % _CHANNELS], kind, first + index, call, findings)

        await asyncio.gather(*(work(number) for number in range(_AT_ONCE)))

    async def _make(self, to: grpc.aio.Channel, kind: str, number: int, call: Call, findings: Findings) -> None:
        try:
            if call.streams:
                answers = await asyncio.get_running_loop().run_in_executor(self._threads, self._stream, call)
            else:
                answers = [await _unary(to, call)]
        except grpc.RpcError as error:
            _note_error(error, kind, number, call, findings)
            return
        findings.count(kind, "OK")
        if shown := traces_in(b"".join(answers)):
            findings.fault(f"{kind} {number}", f"an answer shows {shown}")

    def _stream(self, call: Call) -> list[bytes]:
        method: Any = self._streams.stream_stream(call.method)
        return list(method(iter(call.messages), timeout=_PATIENCE_SECONDS))


async def _unary(to: grpc.aio.Channel, call: Call) -> bytes:
    seconds = call.seconds or _PATIENCE_SECONDS
    answer: bytes = await unary(to, call.method)(call.messages[0], metadata=call.metadata, timeout=seconds)
    return answer


def _note_error(error: Any, kind: str, number: int, call: Call, findings: Findings) -> None:
    code = trailing(error, ERROR_CODE)
    outcome = f"{error.code().name} {code}" if code else error.code().name
    findings.count(kind, outcome)
    details = error.details() or ""
    if error.code() in _FAULTS:
        findings.fault(f"{kind} {number}", f"{outcome}: {details[:200]}")
    elif error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and call.seconds is None:
        findings.fault(f"{kind} {number}", f"no answer within {_PATIENCE_SECONDS:g} s")
    if shown := traces_in(details.encode()):
        findings.fault(f"{kind} {number}", f"the error shows {shown}: {details[:200]}")
