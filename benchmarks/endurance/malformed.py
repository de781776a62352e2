"""Malformed inputs over HTTP and gRPC: refused in order, and the service goes on.

    python -m benchmarks.endurance.malformed --inputs 100000 --write docs/endurance.md

An input follows from the seed, its kind and its number: `--kind K --first N --inputs 1` sends that one again.
"""

import argparse
import asyncio
import math
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks.endurance.findings import Findings, traces_of
from benchmarks.endurance.inputs.corpus import Corpus, make_corpus
from benchmarks.endurance.inputs.http_bodies import FORGED
from benchmarks.endurance.inputs.kinds import KINDS, Kind, Lane
from benchmarks.endurance.load.http_wire import Closed
from benchmarks.endurance.load.pictures import Mark
from benchmarks.endurance.load.running import Running, ServiceFailed, running
from benchmarks.endurance.malformed_grpc import Caller
from benchmarks.endurance.malformed_http import play_bytes, send_requests, send_scripts
from benchmarks.endurance.memory import MemoryWatch, tree_mib
from benchmarks.endurance.probe import Probe
from semsim.providers import Provider, ProviderSettings
from semsim.scorer import Scorer

BLOCK = 1000
MEMORY_LIMIT_MIB = 512.0
"""What the service's memory may grow by over what it was before, at most: twice its queue's limit of bytes."""
SETTINGS = {"SEMSIM_LIMITS__BODY_BYTES": str(2**22), "SEMSIM_LIMITS__REQUEST_PIXELS": str(2**22)}
"""Smaller limits than the default ones, so that going past them costs less."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some inputs of one kind."""

    kind: Kind
    first: int
    count: int


@dataclass
class Malformed:
    """All that a run gave."""

    seed: int
    inputs: int
    findings: Findings = field(default_factory=Findings)
    probes: int = 0
    memory_mib: list[float] = field(default_factory=list)
    """Before the first block, and after each."""
    most_mib: float = 0.0
    """At any moment."""

    @property
    def growth_mib(self) -> float:
        """How much more memory there was at most than before."""
        return self.most_mib - self.memory_mib[0]


def blocks(inputs: int, only: Collection[str] = (), first: int = 0) -> Iterator[Block]:
    """The blocks of a run: each kind's share, at least one of each, in blocks of one kind, the kinds in turn."""
    chosen = [kind for kind in KINDS if not only or kind.name in only]
    total = sum(kind.share for kind in chosen)
    left = {kind: math.ceil(inputs * kind.share / total) for kind in chosen}
    at = dict.fromkeys(chosen, first)
    while left:
        for kind in list(left):
            count = min(BLOCK, left[kind])
            yield Block(kind, at[kind], count)
            at[kind] += count
            left[kind] -= count
            if not left[kind]:
                del left[kind]


def run(service: Running, scorer: Scorer, result: Malformed, plan: list[Block]) -> None:
    """Send every block to a service that runs, and look after each whether it still serves."""
    mark = Mark.of(result.seed)
    corpus = make_corpus(result.seed, mark, scorer.manifest.name)
    result.memory_mib.append(tree_mib(service))
    with MemoryWatch(service) as watch:
        asyncio.run(_send_all(service, corpus, Probe(scorer, mark), result, plan))
    result.most_mib = max(*result.memory_mib, *(sample.mib for sample in watch.samples), 0.0)
    if f"\n{FORGED}".encode() in service.log:
        result.findings.fault("the service's log", "a line that a client wrote")
    if result.growth_mib > MEMORY_LIMIT_MIB:
        result.findings.fault("memory", f"grew by {result.growth_mib:.0f} MiB")


async def _send_all(service: Running, corpus: Corpus, probe: Probe, result: Malformed, plan: list[Block]) -> None:
    caller = Caller(service.grpc_target)
    looked = len(service.log)
    try:
        for block in plan:
            where = f"{block.kind.name} {block.first} to {block.first + block.count - 1}"
            made = make(result.seed, corpus, block)
            worker, begin = worker_of(service), time.monotonic()
            try:
                await _send(service, caller, block, made, result.findings)
            except Closed:
                result.findings.fault(where, "the service is gone: the run ended here")
                return
            finally:
                result.findings.seconds[block.kind.name] += time.monotonic() - begin
            if failed := await probe.ask(service):
                result.findings.fault(f"after {where}", failed)
            if worker_of(service) != worker:
                result.findings.fault(where, "the worker is gone, or another has taken its place")
            for what, count in traces_of(service.log[looked:]).items():
                result.findings.faults[f"in the service's log: {what}"] += [where] * count
            looked = len(service.log)
            result.probes += 1
            result.memory_mib.append(tree_mib(service))
    finally:
        await caller.close()


def worker_of(service: Running) -> int | None:
    """The process that holds the model; None where there is none."""
    try:
        return int(service.worker().pid)
    except (ServiceFailed, psutil.NoSuchProcess):
        return None


def make(seed: int, corpus: Corpus, block: Block) -> list[Any]:
    """The inputs of a block."""
    kind = block.kind
    if kind.makes_all is not None:
        return list(kind.makes_all(block.count, seed * 1000 + block.first))
    if kind.makes is None:
        raise TypeError(f"expected {kind.name} to make inputs")
    return [kind.makes(Random(f"{seed}/{kind.name}/{block.first + i}"), corpus) for i in range(block.count)]


async def _send(service: Running, caller: Caller, block: Block, made: list[Any], findings: Findings) -> None:
    name, first = block.kind.name, block.first
    match block.kind.lane:
        case Lane.REQUESTS:
            await send_requests(service.http_port, name, first, made, findings)
        case Lane.SCRIPTS:
            await send_scripts(service.http_port, name, first, made, findings)
        case Lane.CALLS:
            await caller.send(name, first, made, findings)
        case Lane.BYTES:
            await play_bytes(service.grpc_port, name, first, made, findings)


def main() -> None:
    """Run, print the report; with ``--write`` also keep it in a page between its markers."""
    from benchmarks.endurance.malformed_report import report
    from semsim_training.markdown import write_between

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", choices=[kind.name for kind in KINDS], help="these kinds only")
    parser.add_argument("--first", type=int, default=0, help="number of the first input of each kind")
    parser.add_argument("--model", type=Path, help="an artifact; the bundled one without")
    parser.add_argument("--keep", type=Path, help="a new folder for what the service writes; a passing one without")
    parser.add_argument("--write", type=Path, help="a Markdown page with <!-- malformed --> markers")
    arguments = parser.parse_args()
    scorer = Scorer(arguments.model, providers=ProviderSettings(order=(Provider.CPU,)))
    result = Malformed(arguments.seed, arguments.inputs)
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch) / "service"
        with running(folder, SETTINGS, model=arguments.model) as service:
            run(service, scorer, result, list(blocks(arguments.inputs, arguments.kind or (), arguments.first)))
    text = report(result)
    sys.stdout.write(text)
    if arguments.write:
        write_between(arguments.write, "malformed", text)
    sys.exit(1 if result.findings.faults else 0)


if __name__ == "__main__":
    main()
