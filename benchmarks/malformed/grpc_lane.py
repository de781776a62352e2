"""Sending malformed gRPC calls, many at once."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import grpc

from benchmarks.harness.clients import ERROR_CODE, OPTIONS, trailing
from benchmarks.harness.log import traces_in
from benchmarks.harness.server import Server
from benchmarks.malformed.findings import Block, Findings
from benchmarks.malformed.http_lanes import at_once
from benchmarks.malformed.inputs.grpc_calls import Call

_AT_ONCE = 64
_CHANNELS = 4
_PATIENCE_SECONDS = 30.0
_FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.UNAVAILABLE,  # a connection that broke, of a server or a worker that is gone
    }
)


async def make_calls(server: Server, block: Block, calls: Sequence[Call], findings: Findings) -> None:
    """Make calls over a few connections, many at once, and note how each ended."""
    with ExitStack() as stack, ThreadPoolExecutor(_AT_ONCE) as threads:
        channels = [
            stack.enter_context(grpc.insecure_channel(server.grpc_target, options=OPTIONS)) for _ in range(_CHANNELS)
        ]

        async def make(numbered: tuple[int, Call]) -> None:
            index, call = numbered
            channel = channels[index % _CHANNELS]
            try:
                told = await asyncio.get_running_loop().run_in_executor(threads, _answer, channel, call)
            except grpc.RpcError as error:
                findings.note(block, index, *_ended(error, call))
                return
            shown = traces_in(told)
            findings.note(block, index, "OK", f"an answer shows {shown}" if shown else None)

        await at_once(_AT_ONCE, enumerate(calls), make)


def _answer(channel: Any, call: Call) -> bytes:
    """The messages of an answer.

    gRPC's synchronous client gives them: a stream that the service ends early, while its client still sends, keeps its
    status only there, and the asynchronous one reports an error of its own.
    """
    how = {"metadata": call.metadata, "timeout": call.seconds or _PATIENCE_SECONDS}
    if call.streams:
        return b"".join(channel.stream_stream(call.method)(iter(call.messages), **how))
    return bytes(channel.unary_unary(call.method)(call.messages[0], **how))


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
