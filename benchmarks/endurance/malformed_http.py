"""Sending malformed HTTP: whole requests many at a time over few connections, scripts over one each."""

import asyncio
from collections.abc import Sequence

from benchmarks.endurance.findings import Findings, describe, http_fault, traces_in
from benchmarks.endurance.inputs.http_scripts import Script
from benchmarks.endurance.load.http_wire import Closed, Connection, HTTPAnswer, NotHTTP
from benchmarks.endurance.scored import scored_fault

_CONNECTIONS = 8
_PIPELINED = 12
_SCRIPTS_AT_ONCE = 200
_PATIENCE_SECONDS = 20.0
_REOPEN_TRIES, _REOPEN_SECONDS = 20, 0.25
AT_ONCE_SECONDS = 0.5
"""How long a script that may get no answer is given one, before its client says that it has ended."""


async def open_patiently(port: int, kind: str, findings: Findings) -> Connection:
    """A new connection. A port that is closed for a moment is noted, and waited for.

    grpcio's asyncio server stops at a call whose path is not UTF-8, and has to be started again.

    Raises:
        Closed: it stays closed.
    """
    for _ in range(_REOPEN_TRIES):
        try:
            return await Connection.open(port)
        except Closed:
            findings.refused[kind] += 1
            await asyncio.sleep(_REOPEN_SECONDS)
    return await Connection.open(port)


async def send_requests(port: int, kind: str, first: int, requests: Sequence[bytes], findings: Findings) -> None:
    """Send whole requests, and read an answer to each."""
    groups = [range(start, min(start + _PIPELINED, len(requests))) for start in range(0, len(requests), _PIPELINED)]
    waiting = iter(groups)

    async def work() -> None:
        for group in waiting:
            left = list(group)
            while left:
                left = await _pipeline(port, kind, first, requests, left, findings)

    await asyncio.gather(*(work() for _ in range(_CONNECTIONS)))


async def _pipeline(
    port: int, kind: str, first: int, requests: Sequence[bytes], group: list[int], findings: Findings
) -> list[int]:
    """Send a group over a new connection at once; the numbers of those that must be sent again.

    An answer that says that it closes the connection leaves those behind it unanswered, as HTTP has it: they are sent
    again. A connection that is closed without such a word is a fault.
    """
    connection = await open_patiently(port, kind, findings)
    answered = 0
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await connection.send(b"".join(requests[index] for index in group))
            for index in group:
                answer = await connection.answer(head_only=requests[index].startswith(b"HEAD "))
                findings.count(kind, describe(answer))
                what = http_fault(answer, enveloped=True) or scored_fault(requests[index], answer)
                if what:
                    findings.fault(f"{kind} {first + index}", what)
                answered += 1
                if answer.closes:
                    return group[answered:]
    except TimeoutError:
        findings.count(kind, "no answer")
        findings.fault(f"{kind} {first + group[answered]}", f"no answer within {_PATIENCE_SECONDS:g} s")
        answered += 1
    except Closed:
        findings.count(kind, "closed")
        findings.fault(f"{kind} {first + group[answered]}", "closed with no answer, and none before it said so")
        answered += 1
    except NotHTTP as error:
        findings.count(kind, "not HTTP")
        findings.fault(f"{kind} {first + group[answered]}", f"the answer is {error}")
        answered += 1
    finally:
        connection.abort()
    return group[answered:]


async def send_scripts(port: int, kind: str, first: int, scripts: Sequence[Script], findings: Findings) -> None:
    """Play scripts, each over a connection of its own."""
    waiting = iter(enumerate(scripts))

    async def work() -> None:
        for index, script in waiting:
            await _play(port, kind, first + index, script, findings)

    await asyncio.gather(*(work() for _ in range(_SCRIPTS_AT_ONCE)))


async def _play(port: int, kind: str, number: int, script: Script, findings: Findings) -> None:
    connection = await open_patiently(port, kind, findings)
    answers: list[HTTPAnswer] = []
    outcome = "closed"
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await _write(connection, script)
            if script.drops:
                outcome = "client gone"
            else:
                await _read(connection, script, answers)
    except TimeoutError:
        outcome = "left open"
        findings.fault(f"{kind} {number}", f"still open after {_PATIENCE_SECONDS:g} s")
    except Closed:
        pass
    except NotHTTP:
        outcome = "no HTTP answer"
        findings.fault(f"{kind} {number}", "an answer that is not HTTP")
    finally:
        connection.abort()
    for answer in answers:
        if what := http_fault(answer, enveloped=False):
            findings.fault(f"{kind} {number}", what)
    findings.count(kind, describe(answers[-1]) if answers else outcome)
    if len(answers) < script.due:
        findings.fault(f"{kind} {number}", f"expected {script.due} answers, got {len(answers)}")


async def _write(connection: Connection, script: Script) -> None:
    for index, piece in enumerate(script.pieces):
        if index and script.pause_seconds:
            await asyncio.sleep(script.pause_seconds)
        await connection.send(piece)


async def _read(connection: Connection, script: Script, answers: list[HTTPAnswer]) -> None:
    """Read answers until the connection is closed, or those that are due have come."""
    ended = False
    while True:
        if script.due and len(answers) >= script.due and not script.ends:
            return
        try:
            wait = None if ended or not script.ends else AT_ONCE_SECONDS
            async with asyncio.timeout(wait):
                answers.append(await connection.answer())
        except TimeoutError:
            if ended or not script.ends:
                raise
            ended = True
            connection.end_sending()


async def play_bytes(port: int, kind: str, first: int, scripts: Sequence[Script], findings: Findings) -> None:
    """Play scripts to a port that does not speak HTTP/1.1: whatever it says, it must end the connection."""
    waiting = iter(enumerate(scripts))

    async def work() -> None:
        for index, script in waiting:
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    connection = await open_patiently(port, kind, findings)
                    outcome, told = await _exchange(connection, script)
            except TimeoutError:
                outcome, told = "left open", b""
                findings.fault(f"{kind} {first + index}", f"still open after {_PATIENCE_SECONDS:g} s")
            findings.count(kind, outcome)
            if shown := traces_in(told):
                findings.fault(f"{kind} {first + index}", f"the answer shows {shown}")

    await asyncio.gather(*(work() for _ in range(_SCRIPTS_AT_ONCE)))


async def _exchange(connection: Connection, script: Script) -> tuple[str, bytes]:
    told = b""
    try:
        await _write(connection, script)
        try:
            async with asyncio.timeout(AT_ONCE_SECONDS):
                while piece := await connection.some():
                    told += piece
        except TimeoutError:
            connection.end_sending()
            while piece := await connection.some():
                told += piece
    except Closed:
        pass
    finally:
        connection.abort()
    return ("answered and closed" if told else "closed"), told
