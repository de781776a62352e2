"""The report of malformed inputs, as Markdown."""

from collections import Counter

from benchmarks.harness.reports import verdict_lines
from benchmarks.malformed.findings import Findings
from benchmarks.malformed.inputs.kinds import KINDS
from benchmarks.malformed.run import MEMORY_LIMIT_MIB
from semsim_training.machine import machine
from semsim_training.markdown import table

_SHOWN = 8


def report(findings: Findings) -> str:
    """The whole report."""
    count = sum(outcomes.total() for outcomes in findings.outcomes.values())
    seconds = sum(findings.seconds.values())
    rows = []
    for kind in KINDS:
        if outcomes := findings.outcomes.get(kind.name):
            rate = f"{outcomes.total() / findings.seconds[kind.name]:.0f}"
            rows.append([kind.lane, kind.name, outcomes.total(), rate, _outcomes(outcomes)])
    parts = [
        verdict_lines(findings.fault_lines()),
        f"{count} inputs, seed {findings.seed}, sent in {seconds:.0f} s, {count / seconds:.0f} a second. Machine: "
        f"{machine()}. After each of {findings.probes} blocks a right question over HTTP and one over gRPC got right "
        "answers, and the worker was the one before it, unless listed above.",
        table(["over", "kind", "inputs", "a second", "outcomes"], rows),
        f"Memory of all processes of the service: {findings.memory_mib[0]:.0f} MiB before, {findings.most_mib:.0f} "
        f"at most, {findings.memory_mib[-1]:.0f} at the end (growth {findings.growth_mib:.0f}, allowed "
        f"{MEMORY_LIMIT_MIB:.0f}).",
    ]
    return "\n\n".join(parts) + "\n"


def _outcomes(outcomes: Counter[str]) -> str:
    most = outcomes.most_common()
    counts = [f"{outcome}: {count}" for outcome, count in most[:_SHOWN]]
    more = sum(count for _, count in most[_SHOWN:])
    return "; ".join(counts) + (f"; others: {more}" if more else "")
