"""A soak: mixed HTTP and gRPC for minutes, a worker killed, a stop with requests in flight, every answer checked.

    python -m benchmarks.endurance.soak --minutes 15 --write docs/endurance.md

Starts the real service. A request is a seed: its images follow from it and are like no other's, and so does the
answer, which the offline scorer gives after the run. docs/endurance.md says what is counted how.
"""

import argparse
import asyncio
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.endurance.findings import traces_of
from benchmarks.endurance.load.metrics import NOTHING, Counted, scrape
from benchmarks.endurance.load.pictures import Mark
from benchmarks.endurance.load.questions import Form, Question, Size, ask
from benchmarks.endurance.load.running import Running, running
from benchmarks.endurance.memory import MemoryWatch, Sample, Slope
from benchmarks.endurance.soak_clients import Attempting, Load, Mix, client, settle
from benchmarks.endurance.soak_grpc import GRPCClient
from benchmarks.endurance.soak_http import HTTPClient
from benchmarks.endurance.soak_memory import growth_fault, memory_slope
from benchmarks.endurance.soak_stream import SharedStream
from benchmarks.endurance.soak_verdict import Balance, Verdict, balances, check_scores, judge
from benchmarks.endurance.tally import SETTLE_SECONDS, Attempt, Kind, Times
from benchmarks.endurance.traces import find_traces
from semsim.providers import Provider, ProviderSettings
from semsim.scorer import Scorer

EXIT_SECONDS = 40.0
"""The service must end within its longest request, 30 s, and a little."""
_BURST = Size(pairs=40, side=64)
_TAIL_SECONDS = 3.0
_UNARY_GRPC = (Form.SCORE, Form.SCORE_RAW, Form.BATCH, Form.INFER)
_HTTP = (Form.JSON, Form.MULTIPART, Form.OCTETS)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, and how many clients."""

    seconds: float
    mix: Mix
    http_clients: int = 6
    grpc_clients: int = 4
    stream_clients: int = 4
    burst: int = 4
    """Large questions of each of five forms in flight when SIGTERM comes."""


@dataclass
class Soak:
    """All that a run gave."""

    plan: Plan
    times: Times
    attempts: list[Attempt]
    samples: list[Sample]
    counted: Counted
    counted_attempts: int
    """Attempts that were over when the service's counters were read."""
    verdict: Verdict = field(default_factory=Verdict)
    balance: list[Balance] = field(default_factory=list)
    growth: Slope | None = None
    """Of memory; None where the run was too short."""
    files: int = 0
    scraped: bool = True
    """Whether those counters could be read."""
    restart_seconds: float = 0.0
    exit_seconds: float = 0.0
    exit_code: int | None = None


@dataclass
class _Clients:
    http_port: int
    http: list[HTTPClient]
    grpc: list[GRPCClient]
    stream: SharedStream

    def ways(self) -> list[tuple[tuple[Form, ...], Attempting]]:
        """What each sends, and how."""
        return [(_HTTP, one.attempt) for one in self.http] + [(_UNARY_GRPC, one.attempt) for one in self.grpc]


@asynccontextmanager
async def _clients(service: Running, plan: Plan, model: str) -> AsyncIterator[_Clients]:
    clients = _Clients(
        service.http_port,
        [HTTPClient(service.http_port) for _ in range(plan.http_clients)],
        [GRPCClient(service.grpc_target, model) for _ in range(plan.grpc_clients)],
        SharedStream(service.grpc_target),
    )
    try:
        yield clients
    finally:
        for http in clients.http:
            await http.close()
        for calls in clients.grpc:
            await calls.close()
        await clients.stream.close()


async def _drive(service: Running, plan: Plan, model: str, samples: list[Sample]) -> tuple[Soak, dict[int, Size]]:
    load = Load(plan.mix)
    times = Times(time.monotonic())
    async with _clients(service, plan, model) as clients, asyncio.TaskGroup() as group:
        ways = clients.ways() + [((Form.STREAM,), clients.stream.attempt)] * plan.stream_clients
        for number, (forms, attempting) in enumerate(ways):
            group.create_task(client(load, forms, attempting, number))
        load.go.set()
        await asyncio.sleep(plan.seconds / 3)
        restart = await _kill(service, times)
        await asyncio.sleep(max(0.0, times.began + plan.seconds - time.monotonic()))
        await load.pause()
        counted, counted_attempts = await asyncio.to_thread(_scrape, service), len(load.attempts)
        load.go.set()
        await asyncio.sleep(min(_TAIL_SECONDS, plan.seconds / 10))
        bursts = _bursts(load, clients, plan.burst)
        sizes = {question.seed: _BURST for question, _ in bursts}
        times.burst = time.monotonic()
        for question, attempting in bursts:
            group.create_task(settle(load, question, attempting, Kind.GOOD))
        await asyncio.sleep(SETTLE_SECONDS + 0.1)
        times.stopped = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        load.over = True
        code = await asyncio.to_thread(_wait, service)
        times.exited = time.monotonic()
        load.go.set()
    if clients.stream.unasked:
        load.attempts[-1].wrong = f"{clients.stream.unasked} answers in the stream that nobody waited for"
    soak = Soak(plan, times, load.attempts, samples, counted or NOTHING, counted_attempts)
    soak.scraped = counted is not None
    soak.restart_seconds, soak.exit_code = restart, code
    soak.exit_seconds = times.exited - times.stopped
    return soak, sizes


def _bursts(load: Load, clients: _Clients, each: int) -> list[tuple[Question, Attempting]]:
    """Large questions for the moment of the stop, and how each is sent."""
    streamed = [clients.stream.attempt] * each
    ways: list[tuple[Form, Attempting]] = [(Form.STREAM, attempting) for attempting in streamed]
    for index in range(each):
        ways += [(form, HTTPClient(clients.http_port).attempt) for form in (Form.JSON, Form.OCTETS)]
        calls = clients.grpc[index % len(clients.grpc)]
        ways += [(form, calls.attempt) for form in (Form.SCORE, Form.BATCH)]
    return [(ask(load.next_seed(), form, load.mix.mark, _BURST), attempting) for form, attempting in ways]


def _scrape(service: Running) -> Counted | None:
    """The service's counters; None where it does not answer with them, with nothing else to do."""
    try:
        return scrape(service.http_port)
    except OSError:
        return None


async def _kill(service: Running, times: Times) -> float:
    """Kill the worker, and wait until another serves; the seconds that it took."""
    worker = service.worker()
    times.killed = time.monotonic()
    worker.send_signal(signal.SIGKILL)
    await asyncio.sleep(0.1)  # its ports are closed by now
    await asyncio.to_thread(service.wait_until_ready)
    times.back = time.monotonic()
    return times.back - times.killed


def _wait(service: Running) -> int | None:
    try:
        return service.process.wait(timeout=EXIT_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def soak(plan: Plan, service: Running, scorer: Scorer) -> Soak:
    """Run it on a service that runs: load, kill, stop, judge. The service has ended then.

    Raises:
        ServiceFailed: the service does not come back after the kill.
    """
    before, looked = scrape(service.http_port), len(service.log)
    with MemoryWatch(service) as watch:
        result, sizes = asyncio.run(_drive(service, plan, scorer.manifest.name, watch.samples))
    if result.scraped:
        result.counted = result.counted.since(before)
    _judge(result, sizes, scorer, service)
    told = traces_of(service.log[looked:])
    result.verdict.faults += [f"{count} times in the service's log: {what}" for what, count in told.items()]
    return result


def _judge(result: Soak, sizes: dict[int, Size], scorer: Scorer, service: Running) -> None:
    verdict = result.verdict = judge(result.attempts, result.times)
    check_scores(result.attempts, verdict, scorer, result.plan.mix.mark, sizes)
    if result.scraped:
        result.balance = balances(result.attempts[: result.counted_attempts], result.times, result.counted)
    else:
        verdict.faults.append("GET /metrics was not answered with the counters, while nothing else was asked")
    verdict.faults += [
        f"{row.name}: {row.counted} counted, {row.least} to {row.least + row.unknown} sent"
        for row in result.balance
        if not row.holds
    ]
    result.files, found = find_traces(result.plan.mix.mark, (service.folder, Path("/dev/shm")))  # noqa: S108
    verdict.faults += [f"image bytes in {path}" for path in found]
    if result.exit_code is None:
        verdict.faults.append(f"the service did not end within {EXIT_SECONDS:g} s of SIGTERM")
    elif result.exit_code != 0:
        verdict.faults.append(f"the service ended with code {result.exit_code}")
    result.growth = memory_slope(result.samples, result.times)
    if fault := growth_fault(result.growth):
        verdict.faults.append(fault)


def main() -> None:
    """Run, print the report; with ``--write`` also keep it in a page between its markers, and the picture beside it."""
    from benchmarks.endurance.soak_report import report
    from semsim_training.markdown import write_between

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", type=Path, help="an artifact; the bundled one without")
    parser.add_argument("--keep", type=Path, help="a new folder for what the service writes; a passing one without")
    parser.add_argument("--write", type=Path, help="a Markdown page with <!-- soak --> markers")
    arguments = parser.parse_args()
    plan = Plan(arguments.minutes * 60, Mix(arguments.seed, Mark.of(arguments.seed)))
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch) / "service"
        scorer = Scorer(arguments.model, providers=ProviderSettings(order=(Provider.CPU,)))
        with running(folder, model=arguments.model) as service:
            result = soak(plan, service, scorer)
    picture = arguments.write.parent / "endurance-memory.png" if arguments.write else None
    text = report(result, picture)
    sys.stdout.write(text)
    if arguments.write:
        write_between(arguments.write, "soak", text)
    sys.exit(1 if result.verdict.faults else 0)


if __name__ == "__main__":
    main()
