"""The report of malformed inputs, as Markdown."""

from collections import Counter

from benchmarks.endurance.inputs.kinds import KINDS
from benchmarks.endurance.malformed import MEMORY_LIMIT_MIB, Malformed
from benchmarks.endurance.soak_report import table, verdict_lines
from semsim_training.machine import machine

_SHOWN = 8


def report(result: Malformed) -> str:
    """The whole report."""
    findings = result.findings
    count = sum(findings.outcomes.values())
    seconds = sum(findings.seconds.values())
    what = (
        f"{count} inputs, seed {result.seed}, sent in {seconds:.0f} s, {count / seconds:.0f} a second. Machine: "
        f"{machine()}. After each of {result.probes} blocks a right question over HTTP and one over gRPC got right "
        "answers, and the worker was the one before it, unless listed above."
    )
    memory = (
        f"Memory of all processes of the service: {result.memory_mib[0]:.0f} MiB before, {result.most_mib:.0f} "
        f"at most, {result.memory_mib[-1]:.0f} at the end (growth {result.growth_mib:.0f}, allowed "
        f"{MEMORY_LIMIT_MIB:.0f})."
    )
    refused = ", ".join(f"{kind} {count}" for kind, count in findings.refused.items()) or "none"
    moments = f"Connections that were refused, and had a moment later: {refused}."
    return "\n\n".join([verdict_lines(findings.told()), what, _kinds(result), moments, memory]) + "\n"


def _kinds(result: Malformed) -> str:
    found = result.findings.kinds()
    rows = [
        [kind.lane, kind.name, *_rate(result, found[kind.name], kind.name), _outcomes(found[kind.name])]
        for kind in KINDS
        if kind.name in found
    ]
    return table(["over", "kind", "inputs", "a second", "outcomes"], rows)


def _rate(result: Malformed, outcomes: Counter[str], name: str) -> tuple[int, str]:
    count = sum(outcomes.values())
    return count, f"{count / result.findings.seconds[name]:.0f}"


def _outcomes(outcomes: Counter[str]) -> str:
    most = outcomes.most_common()
    told = [f"{outcome}: {count}" for outcome, count in most[:_SHOWN]]
    more = sum(count for _, count in most[_SHOWN:])
    return "; ".join(told) + (f"; others: {more}" if more else "")
