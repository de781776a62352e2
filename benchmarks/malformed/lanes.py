"""Sending malformed inputs: requests and calls many at a time over few connections, scripts over one each."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import grpc

from benchmarks.harness.clients import ERROR_CODE, OPTIONS, trailing
from benchmarks.harness.http_wire import Closed, Connection, HTTPAnswer, NotHTTP, take_answer
from benchmarks.harness.log import traces_in
from benchmarks.harness.server import Server
from benchmarks.malformed.answers import describe, http_fault, request_fault
from benchmarks.malformed.findings import Block, Findings
from benchmarks.malformed.inputs.grpc_calls import Call
from benchmarks.malformed.inputs.kinds import Lane
from benchmarks.malformed.inputs.scripts import Script

_CONNECTIONS = 8
_PIPELINED = 12
_SCRIPTS_AT_ONCE = 200
_PATIENCE_SECONDS = 20.0
_CALLS_AT_ONCE, _CHANNELS, _CALL_SECONDS = 64, 4, 30.0
_CALL_FAULTS = ("UNKNOWN", "INTERNAL", "DATA_LOSS", "UNAVAILABLE")
"""Statuses that no call may get; the last one is a connection that broke."""
AT_ONCE_SECONDS = 0.5
"""A script that may get no answer waits this long for one, before its client says that it has ended."""


async def at_once(workers: int, items: Iterable[Any], work: Callable[[Any], Awaitable[None]]) -> None:
    """Do some work for every item, for as many at once as there are workers."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    await asyncio.gather(*(worker() for _ in range(workers)))


async def send_requests(server: Server, block: Block, requests: Sequence[bytes], findings: Findings) -> None:
    """Send whole requests, and read an answer to each.

    An answer that says that it closes the connection leaves those behind it unanswered, as HTTP has it: they are sent
    again. A connection that is closed without such a word is a fault.
    """

    async def send(left: list[int]) -> None:
        while left:
            await pipeline(left)

    async def pipeline(left: list[int]) -> None:
        """Send a group over a new connection at once; what must be sent again is still in the list afterwards."""
        connection = await Connection.open(server.port)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await connection.send(b"".join(requests[index] for index in left))
                while left:
                    request = requests[left[0]]
                    answer = await connection.answer(head_only=request.startswith(b"HEAD "))
                    what = http_fault(answer, enveloped=True) or request_fault(request, answer)
                    findings.note(block, left.pop(0), describe(answer), what)
                    if answer.closes:
                        return
        except TimeoutError:
            findings.note(block, left.pop(0), "no answer", f"no answer within {_PATIENCE_SECONDS:g} s")
        except Closed:
            findings.note(block, left.pop(0), "closed", "closed with no answer, and none before it said so")
        except NotHTTP as error:
            findings.note(block, left.pop(0), "not HTTP", f"the answer is {error}")
        finally:
            connection.abort()

    numbers = range(len(requests))
    groups = (list(numbers[start : start + _PIPELINED]) for start in numbers[::_PIPELINED])
    await at_once(_CONNECTIONS, groups, send)


async def play_scripts(server: Server, block: Block, scripts: Sequence[Script], findings: Findings) -> None:
    """Play scripts, each over a connection of its own, which the service must end.

    To a port that speaks HTTP/1.1 whatever it says must be right answers; to the other it may say anything.
    """
    port = server.grpc_port if block.kind.lane is Lane.BYTES else server.port

    async def play(numbered: tuple[int, Script]) -> None:
        index, script = numbered
        connection = await Connection.open(port)
        received, faults, outcome = bytearray(), [], "client gone" if script.drops else "closed"
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await _converse(connection, script, received)
        except TimeoutError:
            faults, outcome = [f"still open after {_PATIENCE_SECONDS:g} s"], "left open"
        except Closed:
            pass
        finally:
            connection.abort()
        if block.kind.lane is Lane.BYTES:
            shown = traces_in(bytes(received))
            faults += [f"the answer shows {shown}"] if shown else []
            outcome = "answered and closed" if received and not faults else outcome
        else:
            answers, garbage = _answers(bytes(received))
            faults += [what for answer in answers if (what := http_fault(answer, enveloped=False))]
            faults += ["an answer that is not HTTP"] if garbage else []
            faults += [f"expected {script.due} answers, got {len(answers)}"] if len(answers) < script.due else []
            outcome = describe(answers[-1]) if answers else "no HTTP answer" if garbage else outcome
        findings.note(block, index, outcome, *faults)

    await at_once(_SCRIPTS_AT_ONCE, enumerate(scripts), play)


async def _converse(connection: Connection, script: Script, received: bytearray) -> None:
    """Write the script, and read until the connection is closed, or the answers that are due have come."""
    for index, piece in enumerate(script.pieces):
        if index and script.pause_seconds:
            await asyncio.sleep(script.pause_seconds)
        await connection.send(piece)
    ends = script.ends
    while not script.drops and not (script.due and len(_answers(bytes(received))[0]) >= script.due):
        try:
            async with asyncio.timeout(AT_ONCE_SECONDS if ends else None):
                piece = await connection.some()
        except TimeoutError:
            if not ends:
                raise
            ends = False
            connection.end_sending()
            continue
        if not piece:
            return
        received += piece


def _answers(received: bytes) -> tuple[list[HTTPAnswer], bool]:
    """The HTTP answers in what was received, and whether something followed that is none."""
    answers = []
    try:
        while taken := take_answer(received, ended=True):
            answer, received = taken
            answers.append(answer)
    except NotHTTP:
        return answers, True
    return answers, False


async def make_calls(server: Server, block: Block, calls: Sequence[Call], findings: Findings) -> None:
    """Make calls over a few connections, many at once, and note how each ended."""
    with ExitStack() as stack, ThreadPoolExecutor(_CALLS_AT_ONCE) as threads:
        channels = [
            stack.enter_context(grpc.insecure_channel(server.grpc_target, options=OPTIONS)) for _ in range(_CHANNELS)
        ]

        async def make(numbered: tuple[int, Call]) -> None:
            index, call = numbered
            channel = channels[index % _CHANNELS]
            try:
                messages = await asyncio.get_running_loop().run_in_executor(threads, _answer, channel, call)
            except grpc.RpcError as error:
                findings.note(block, index, *_ended(error, call))
                return
            shown = traces_in(messages)
            findings.note(block, index, "OK", f"an answer shows {shown}" if shown else None)

        await at_once(_CALLS_AT_ONCE, enumerate(calls), make)


def _answer(channel: Any, call: Call) -> bytes:
    """The messages of an answer. Only gRPC's synchronous client keeps the status of a stream that ends early."""
    how = {"metadata": call.metadata, "timeout": call.seconds or _CALL_SECONDS}
    if call.streams:
        return b"".join(channel.stream_stream(call.method)(iter(call.messages), **how))
    return bytes(channel.unary_unary(call.method)(call.messages[0], **how))


def _ended(error: Any, call: Call) -> list[str]:
    """The outcome of a call that got no answer, and its faults."""
    code, details = trailing(error, ERROR_CODE), error.details() or ""
    ending = [f"{error.code().name} {code}" if code else error.code().name]
    if error.code().name in _CALL_FAULTS:
        ending.append(f"{ending[0]}: {details[:200]}")
    elif error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and call.seconds is None:
        ending.append(f"no answer within {_CALL_SECONDS:g} s")
    if shown := traces_in(details.encode()):
        ending.append(f"the error shows {shown}: {details[:200]}")
    return ending
