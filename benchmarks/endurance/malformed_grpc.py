"""Sending malformed gRPC calls, many at once."""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc

from benchmarks.endurance.findings import Findings, traces_in
from benchmarks.endurance.inputs.grpc_calls import Call
from benchmarks.endurance.load.grpc_wire import ERROR_CODE, stream, trailing, unary

_AT_ONCE = 64
_PATIENCE_SECONDS = 30.0
_FAULTS = frozenset({grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS})


async def send_calls(
    channels: Sequence[grpc.aio.Channel], kind: str, first: int, calls: Sequence[Call], findings: Findings
) -> None:
    """Make the calls, and note how each ended."""
    waiting = iter(enumerate(calls))

    async def work(number: int) -> None:
        for index, call in waiting:
            await _make(channels[number % len(channels)], kind, first + index, call, findings)

    await asyncio.gather(*(work(number) for number in range(_AT_ONCE)))


async def _make(to: grpc.aio.Channel, kind: str, number: int, call: Call, findings: Findings) -> None:
    try:
        answers = await (_streamed(to, call) if call.streams else _unary(to, call))
    except grpc.aio.AioRpcError as error:
        _note_error(error, kind, number, call, findings)
        return
    except UnicodeDecodeError:
        findings.count(kind, "not sent")
        return
    findings.count(kind, "OK")
    findings.answers["OK"] += 1
    if shown := traces_in(b"".join(answers)):
        findings.fault(kind, number, f"an answer shows {shown}")


async def _unary(to: grpc.aio.Channel, call: Call) -> list[bytes]:
    seconds = call.seconds or _PATIENCE_SECONDS
    answer: bytes = await unary(to, call.method)(call.messages[0], metadata=call.metadata, timeout=seconds)
    return [answer]


async def _streamed(to: grpc.aio.Channel, call: Call) -> list[bytes]:
    made: Any = stream(to, call.method)(metadata=call.metadata, timeout=_PATIENCE_SECONDS)
    answers: list[bytes] = []
    try:
        for message in call.messages:
            await made.write(message)
        await made.done_writing()
        while (answer := await made.read()) is not grpc.aio.EOF:
            answers.append(answer)
    except asyncio.InvalidStateError:
        pass  # the service has ended it: what follows says how
    await _status(made)
    return answers


async def _status(made: Any) -> None:
    """Raise how a stream ended, unless well."""
    if await made.code() is not grpc.StatusCode.OK:
        raise grpc.aio.AioRpcError(
            await made.code(), await made.initial_metadata(), await made.trailing_metadata(), await made.details()
        )


def _note_error(error: grpc.aio.AioRpcError, kind: str, number: int, call: Call, findings: Findings) -> None:
    code = trailing(error, ERROR_CODE)
    outcome = f"{error.code().name} {code}" if code else error.code().name
    findings.count(kind, outcome)
    findings.answers[outcome] += 1
    details = error.details() or ""
    if error.code() in _FAULTS:
        findings.fault(kind, number, f"{outcome}: {details[:200]}")
    elif error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and call.seconds is None:
        findings.fault(kind, number, f"no answer within {_PATIENCE_SECONDS:g} s")
    if shown := traces_in(details.encode()):
        findings.fault(kind, number, f"the error shows {shown}: {details[:200]}")
