"""Every block of malformed inputs is sent to a service, which is looked at after each."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator

from benchmarks.harness.clients import Attempt, End, client_of
from benchmarks.harness.http_wire import Closed
from benchmarks.harness.log import traces_of
from benchmarks.harness.messages import request_of
from benchmarks.harness.processes import memory_mib, watched_memory, worker
from benchmarks.harness.questions import Form, Mark, Question, Size, ask
from benchmarks.harness.rows import Row, differences, expected_rows
from benchmarks.harness.server import Server
from benchmarks.malformed.findings import Block, Findings
from benchmarks.malformed.inputs.corpus import make_corpus
from benchmarks.malformed.inputs.http_bodies import FORGED
from benchmarks.malformed.inputs.kinds import KINDS, Lane
from benchmarks.malformed.lanes import make_calls, play_scripts, send_requests
from semsim.scorer import Scorer

BLOCK = 1000
MEMORY_LIMIT_MIB = 512.0
"""The service's memory may grow by this much over what it was before: twice its queue's limit of bytes."""
SETTINGS = {"SEMSIM_LIMITS__BODY_BYTES": str(2**22), "SEMSIM_LIMITS__REQUEST_PIXELS": str(2**22)}
"""Smaller limits than the default ones, so that going past them costs less."""
_PROBE_SECONDS = 30.0
_PROBE_SIZE = Size(pairs=2, side=32)
_LANES: dict[Lane, Callable[..., Awaitable[None]]] = {
    Lane.REQUESTS: send_requests,
    Lane.SCRIPTS: play_scripts,
    Lane.CALLS: make_calls,
    Lane.BYTES: play_scripts,
}


async def probe_fault(server: Server, expected: Iterable[tuple[Question, list[Row]]]) -> str | None:
    """The fault of the answers to right questions, each of which comes with its rows; None when all is well."""
    for question, rows in expected:
        client, attempt = client_of(question.form, server), Attempt(question.seed, question.form)
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await client.send(request_of(question), attempt)
        except TimeoutError:
            return f"{question.form}: no answer within {_PROBE_SECONDS:g} s"
        finally:
            await client.close()
        if attempt.end is not End.ANSWERED or attempt.wrong:
            return f"{question.form}: {attempt.end}, {attempt.code or attempt.wrong}"
        if wrong := differences(attempt.rows, rows, question.form):
            return f"{question.form}: {wrong[0]}"
    return None


def blocks(inputs: int, only: Collection[str] = (), first: int = 0) -> Iterator[Block]:
    """The blocks of a run: each kind's share, at least one of each, in blocks of one kind, the kinds in turn."""
    chosen = [kind for kind in KINDS if not only or kind.name in only]
    total = sum(kind.share for kind in chosen)
    left = {kind: math.ceil(inputs * kind.share / total) for kind in chosen}
    at = dict.fromkeys(chosen, first)
    while any(left.values()):
        for kind in chosen:
            if count := min(BLOCK, left[kind]):
                yield Block(kind, at[kind], count)
                at[kind] += count
                left[kind] -= count


def run(server: Server, scorer: Scorer, findings: Findings, plan: list[Block]) -> None:
    """Send every block to a server that runs, and look after each whether it still serves."""
    findings.memory_mib.append(memory_mib(server.process.pid))
    with watched_memory(server.process.pid) as samples:
        asyncio.run(_send_all(server, scorer, findings, plan))
    findings.most_mib = max(*findings.memory_mib, *(mib for _, mib in samples), 0.0)
    if f"\n{FORGED}".encode() in server.log:
        findings.faults["a line that a client wrote"].append("the service's log")
    if findings.growth_mib > MEMORY_LIMIT_MIB:
        findings.faults[f"grew by {findings.growth_mib:.0f} MiB"].append("memory")


async def _send_all(server: Server, scorer: Scorer, findings: Findings, plan: list[Block]) -> None:
    mark, pid, looked = Mark.of(findings.seed), server.process.pid, len(server.log)
    corpus = make_corpus(findings.seed, mark, scorer.manifest.name)
    probes = list(expected_rows([ask(7, form, mark, _PROBE_SIZE) for form in (Form.JSON, Form.BATCH)], scorer))
    for block in plan:
        inputs = block.kind.make(findings.seed, corpus, block.first, block.count)
        process, begin = worker(pid), time.monotonic()
        try:
            await _LANES[block.kind.lane](server, block, inputs, findings)
        except Closed:
            findings.faults["the service is gone: the run ended here"].append(block.name)
            return
        finally:
            findings.seconds[block.kind.name] += time.monotonic() - begin
        if fault := await probe_fault(server, probes):
            findings.faults[fault].append(f"after {block.name}")
        if worker(pid) != process:
            findings.faults["the worker is gone, or another has taken its place"].append(block.name)
        for what, count in traces_of(server.log[looked:]).items():
            findings.faults[f"in the service's log: {what}"] += [block.name] * count
        looked = len(server.log)
        findings.probes += 1
        findings.memory_mib.append(memory_mib(pid))
