"""One soak: the load, the kill, the stop, and then the judgement of all that came of it."""

import asyncio
import base64
import itertools
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from benchmarks.harness.clients import Purpose
from benchmarks.harness.log import traces_of
from benchmarks.harness.metrics import Metrics, scrape
from benchmarks.harness.processes import tree, watched_memory, worker
from benchmarks.harness.questions import HTTP_FORMS, UNARY_FORMS, Form, Mark, Size, ask
from benchmarks.harness.server import Server, ServerFailed
from benchmarks.soak.clients import Load, ask_on, settle
from benchmarks.soak.result import Soak, SoakPlan, Times
from benchmarks.soak.senders import LISTEN_SECONDS, LeavingGRPCClient, LeavingHTTPClient, Sender, SharedStream
from benchmarks.soak.verdict import SETTLE_SECONDS, WARM_UP_SECONDS, balances, check_scores, growth_fault, judge, slope
from semsim.scorer import Scorer

EXIT_SECONDS = 40.0
"""The service must end within its longest request, 30 s, and a little."""
_BURST = Size(pairs=40, side=64)


def run(plan: SoakPlan, server: Server, scorer: Scorer) -> Soak:
    """Run a soak on a server that runs, and judge it. The server has ended then."""
    before, looked = scrape(server.port), len(server.log)
    with watched_memory(server.process.pid) as samples:
        soak = asyncio.run(_drive(server, plan, scorer.manifest.name, before))
    soak.samples = samples
    _judge(soak, scorer, server)
    traces = traces_of(server.log[looked:])
    soak.verdict.faults += [f"{count} times in the service's log: {what}" for what, count in traces.items()]
    return soak


async def _drive(server: Server, plan: SoakPlan, model: str, before: Metrics) -> Soak:
    load = Load(plan, model, itertools.count(plan.seed * 10_000_000 + 1))
    times = Times(time.monotonic())
    soak = Soak(plan, times, load.attempts, before)
    http = [LeavingHTTPClient(server.port, LISTEN_SECONDS) for _ in range(plan.http_clients + 2 * plan.burst + 1)]
    grpc = [LeavingGRPCClient(server.grpc_target) for _ in range(plan.grpc_clients)]
    stream = SharedStream(server)
    ways: list[tuple[tuple[Form, ...], Sender]] = [
        *((HTTP_FORMS, client) for client in http[2 * plan.burst + 1 :]),
        *((UNARY_FORMS, client) for client in grpc),
        *[((Form.STREAM,), stream)] * plan.stream_clients,
    ]
    async with asyncio.TaskGroup() as group:
        for number, (forms, client) in enumerate(ways):
            group.create_task(ask_on(load, forms, client, number))
        load.go.set()
        await asyncio.sleep(plan.seconds / 3)
        soak.helpers_killed = await _kill(server, times)
        await asyncio.sleep(times.began + plan.seconds - time.monotonic())
        await load.pause()
        soak.counted_attempts = len(load.attempts)
        with suppress(OSError):
            soak.counted = await asyncio.to_thread(scrape, server.port)
        load.go.set()
        await asyncio.sleep(min(3.0, plan.seconds / 10))
        bursts: list[tuple[Form, Sender]] = [(Form.STREAM, stream)] * plan.burst
        bursts += zip(itertools.cycle((Form.JSON, Form.OCTETS)), http[: 2 * plan.burst], strict=False)
        bursts += [(form, grpc[i % len(grpc)]) for i in range(plan.burst) for form in (Form.SCORE, Form.BATCH)]
        large = [(form, client, _BURST) for form, client in bursts]
        pictures = Size(1, plan.picture_side)
        large += [(Form.JSON, http[2 * plan.burst], pictures), (Form.SCORE, grpc[0], pictures)]
        asked = [(ask(next(load.seeds), form, plan.mark, size), client) for form, client, size in large]
        soak.sizes = {question.seed: size for (question, _), (*_, size) in zip(asked, large, strict=True)}
        times.burst = time.monotonic()
        for question, sender in asked:
            group.create_task(settle(load, question, sender, Purpose.GOOD))
        await asyncio.sleep(SETTLE_SECONDS + 0.1)
        times.stopped = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        load.over = True
        with suppress(subprocess.TimeoutExpired):
            soak.exit_code = await asyncio.to_thread(server.process.wait, EXIT_SECONDS)
        times.exited = time.monotonic()
        load.go.set()
    for close in [*(one.close for one in http), *(one.close for one in grpc), stream.close]:
        await close()
    if stream.unasked:
        load.attempts[-1].wrong = f"{stream.unasked} answers in the stream that nobody waited for"
    return soak


async def _kill(server: Server, times: Times) -> int:
    """Kill the worker, wait until another serves, and kill its scoring process. Returns the number of these: 1 or 0."""
    if (process := worker(server.process.pid)) is None:
        raise ServerFailed("expected a worker below the supervisor, got none")
    times.killed = time.monotonic()
    process.kill()
    await asyncio.sleep(0.1)  # its ports are closed by now
    await asyncio.to_thread(server.wait_until_ready)
    times.back = time.monotonic()
    await asyncio.sleep(WARM_UP_SECONDS / 20)
    helpers = [one for one in tree(server.process.pid) if "semsim_service.core.scoring_process" in one.cmdline()]
    for process in helpers:
        process.kill()
    return len(helpers)


def _judge(soak: Soak, scorer: Scorer, server: Server) -> None:
    verdict = soak.verdict = judge(soak.attempts, soak.times)
    check_scores(soak.attempts, verdict, scorer, soak.plan.mark, soak.sizes)
    if soak.counted is None:
        verdict.faults.append("GET /metrics was not answered with the counters, while nothing else was asked")
    else:
        soak.balance = balances(soak.attempts[: soak.counted_attempts], soak.times, soak.before, soak.counted)
    verdict.faults += [
        f"{row.name}: {row.counted} counted, {row.least} to {row.least + row.unknown} sent"
        for row in soak.balance
        if not row.holds
    ]
    soak.files, holding = find_marks(soak.plan.mark, (server.home, Path("/dev/shm")))  # noqa: S108
    verdict.faults += [f"image bytes in {path}" for path in holding]
    if soak.exit_code is None:
        verdict.faults.append(f"the service did not end within {EXIT_SECONDS:g} s of SIGTERM")
    elif soak.exit_code != 0:
        verdict.faults.append(f"the service ended with code {soak.exit_code}")
    if (times := soak.times).back - times.killed > soak.plan.back_seconds:
        verdict.faults.append(f"no worker served within {soak.plan.back_seconds:g} s of the kill")
    stretches = [(times.began + WARM_UP_SECONDS, times.killed), (times.back + WARM_UP_SECONDS, times.burst)]
    soak.growth = slope(soak.samples, stretches)
    if fault := growth_fault(soak.growth):
        verdict.faults.append(fault)


def find_marks(mark: Mark, places: Iterable[Path]) -> tuple[int, list[Path]]:
    """The number of files below ``places``, and those that hold the mark: as it is, in hexadecimal or in base64."""
    text = mark.text
    # Without the first and last characters of base64, which depend on what stands beside it, at any alignment.
    aligned = [base64.b64encode(b"\0" * shift + text)[4:-4] for shift in range(3)]
    shapes = [text, text.hex().encode(), *aligned]
    paths = [path for place in places for path in sorted(place.rglob("*")) if path.is_file() and not path.is_symlink()]
    return len(paths), [path for path in paths if _holds(path, shapes)]


def _holds(path: Path, shapes: list[bytes]) -> bool:
    overlap, content = max(map(len, shapes)), b""
    with suppress(OSError), path.open("rb") as file:  # gone meanwhile, or not ours to read
        while chunk := file.read(2**24):
            content = content[-overlap:] + chunk
            if any(shape in content for shape in shapes):
                return True
    return False
