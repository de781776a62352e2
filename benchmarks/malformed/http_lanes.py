"""Sending malformed HTTP: whole requests many at a time over few connections, scripts over one each."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from benchmarks.harness.http_wire import Closed, Connection, HTTPAnswer, NotHTTP, read_head, take_answer
from benchmarks.harness.log import traces_in
from benchmarks.harness.messages import JSON_TYPE, OCTETS_TYPE, error_code, json_rows
from benchmarks.harness.rows import Unreadable
from benchmarks.harness.server import Server
from benchmarks.malformed.findings import Block, Findings
from benchmarks.malformed.inputs.kinds import Lane
from benchmarks.malformed.inputs.scripts import Script

_DOCUMENTED = {503: "not_ready", 504: "timeout"}
"""The only answers of 500 and above that are no fault, and their codes."""
_MOST = 256
"""The service's default limit of pairs."""


def describe(answer: HTTPAnswer) -> str:
    """An HTTP answer in a word or two: its status and code."""
    code = error_code(answer.body) if answer.status >= 400 else None
    return f"{answer.status} {code}" if code else str(answer.status)


def http_fault(answer: HTTPAnswer, *, enveloped: bool) -> str | None:
    """What is wrong with an answer to whatever was sent; ``enveloped`` where an error must carry its code."""
    code = error_code(answer.body)
    if 200 < answer.status < 400:
        return f"{answer.status} to {answer.headers.get('location', 'nowhere')[:200]}"
    if answer.status >= 500 and _DOCUMENTED.get(answer.status) != code:
        return f"{answer.status} {answer.body[:200]!r}"
    if shown := traces_in(answer.body + repr(answer.headers).encode()):
        return f"{answer.status} shows {shown}"
    if enveloped and answer.status >= 400 and code is None:
        return f"{answer.status} without the envelope: {answer.body[:200]!r}"
    return None


def scored_fault(request: bytes, answer: HTTPAnswer) -> str | None:
    """What is wrong with an answer of 200 to ``request``, which must have a result for each pair.

    Nothing is where the request did not ask for scores.
    """
    head, _, body = request.partition(b"\r\n\r\n")
    line, headers = read_head(head)
    method, target, *_ = line.split(" ")
    if answer.status != 200 or method != "POST" or urlsplit(target).path != "/score":
        return None
    try:
        results = len(json_rows(answer.body))
    except Unreadable as error:
        return f"200 with {error}"
    least, most = _asked(headers, body)
    return None if least <= results <= most else f"200 with {results} results for {least} to {most} pairs"


def _asked(headers: dict[str, str], body: bytes) -> tuple[int, int]:
    """The least and the most pairs that a request may be read as having, if it is read at all."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == JSON_TYPE:
            count = len(json.loads(body)["pairs"])
        elif kind == OCTETS_TYPE:
            count = int(headers["x-semsim-shape"].partition(",")[0])
        else:  # bytes that were changed may have undone any part of a form, but not made one
            return 1, min(_MOST, body.count(b"reconstruction"))
    except (ValueError, LookupError, TypeError):  # the service understands it in another way than Python
        return 1, _MOST
    return count, count


_CONNECTIONS = 8
_PIPELINED = 12
_SCRIPTS_AT_ONCE = 200
_PATIENCE_SECONDS = 20.0
_REOPEN_TRIES, _REOPEN_SECONDS = 20, 0.25
AT_ONCE_SECONDS = 0.5
"""How long a script that may get no answer is given one, before its client says that it has ended."""


async def at_once(workers: int, items: Iterable[Any], work: Callable[[Any], Awaitable[None]]) -> None:
    """Do some work for every item, for as many at once as there are workers."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    await asyncio.gather(*(worker() for _ in range(workers)))


async def open_patiently(port: int, block: Block, findings: Findings) -> Connection:
    """A new connection. A port that is closed for a moment is noted, and waited for; Closed is raised if it stays so.

    grpcio's asyncio server stops at a call whose path is not UTF-8, and has to be started again.
    """
    for _ in range(_REOPEN_TRIES):
        try:
            return await Connection.open(port)
        except Closed:
            findings.refused[block.kind.name] += 1
            await asyncio.sleep(_REOPEN_SECONDS)
    return await Connection.open(port)


async def send_requests(server: Server, block: Block, requests: Sequence[bytes], findings: Findings) -> None:
    """Send whole requests, and read an answer to each."""

    async def send(group: list[int]) -> None:
        while group:
            group = await _pipeline(server.port, block, requests, group, findings)

    numbers = range(len(requests))
    groups = (list(numbers[start : start + _PIPELINED]) for start in numbers[::_PIPELINED])
    await at_once(_CONNECTIONS, groups, send)


async def _pipeline(
    port: int, block: Block, requests: Sequence[bytes], group: list[int], findings: Findings
) -> list[int]:
    """Send a group over a new connection at once; the numbers of those that must be sent again.

    An answer that says that it closes the connection leaves those behind it unanswered, as HTTP has it: they are sent
    again. A connection that is closed without such a word is a fault.
    """
    connection = await open_patiently(port, block, findings)
    left = list(group)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await connection.send(b"".join(requests[index] for index in group))
            while left:
                request = requests[left[0]]
                answer = await connection.answer(head_only=request.startswith(b"HEAD "))
                what = http_fault(answer, enveloped=True) or scored_fault(request, answer)
                findings.note(block, left.pop(0), describe(answer), what)
                if answer.closes:
                    break
        return left
    except TimeoutError:
        outcome, what = "no answer", f"no answer within {_PATIENCE_SECONDS:g} s"
    except Closed:
        outcome, what = "closed", "closed with no answer, and none before it said so"
    except NotHTTP as error:
        outcome, what = "not HTTP", f"the answer is {error}"
    finally:
        connection.abort()
    findings.note(block, left.pop(0), outcome, what)
    return left


async def play_scripts(server: Server, block: Block, scripts: Sequence[Script], findings: Findings) -> None:
    """Play scripts, each over a connection of its own, which the service must end.

    To a port that speaks HTTP/1.1 whatever it says must be right answers; to the other it may say anything.
    """
    port = server.grpc_port if block.kind.lane is Lane.BYTES else server.port

    async def play(numbered: tuple[int, Script]) -> None:
        index, script = numbered
        connection = await open_patiently(port, block, findings)
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
            shown = traces_in(received)
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
