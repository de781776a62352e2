"""The report of an overload, as Markdown."""

from collections.abc import Sequence
from math import isnan
from statistics import mean

import numpy as np

from benchmarks.harness.clients import Attempt
from benchmarks.harness.questions import Form
from benchmarks.harness.reports import verdict_lines
from benchmarks.overload.result import QUEUE_BYTES, Overload, OverloadPlan, Record
from semsim_training.machine import machine
from semsim_training.markdown import records_table, table

LONGEST_LOOK = 5.0
"""The seconds in which ``/metrics`` must answer beside an overload."""
LEAST_GOODPUT = 0.85
"""A lower share of capacity is a fault. `benchmarks.goals` holds the higher goal."""


def faults(overloads: Sequence[Overload], plan: OverloadPlan) -> list[str]:
    """The faults of the overloads."""
    lines = [
        f"{form}: goodput {ratio:.3f} of capacity, expected at least {LEAST_GOODPUT}"
        for form, ratio in ratios(overloads).items()
        if ratio < LEAST_GOODPUT
    ]
    for one in overloads:
        for phase, records in (("at capacity", one.busy), ("in the overload", [one.record])):
            lines += [f"{one.form}, {phase}: {what}" for what in _wrong(records)]
        if refused := sum(len(record.refused) for record in one.busy):
            lines.append(f"{one.form}: {refused} refusals at capacity, from fewer clients than the queue has room for")
        pairs, size = max(one.queue_pairs), max(one.queue_bytes)
        if pairs > plan.queue_pairs or size > QUEUE_BYTES:
            lines.append(f"{one.form}: the queue held {pairs:.0f} pairs, {size:.0f} bytes")
        if max(one.looks) > LONGEST_LOOK:
            lines.append(f"{one.form}: /metrics took {max(one.looks):.1f} s")
        if one.record.refused and not one.record.returned:
            lines.append(f"{one.form}: no refused client came again")
        if any(attempt.retry_after is None for attempt in one.record.refused):
            lines.append(f"{one.form}: refused without Retry-After")
    return lines


def ratios(overloads: Sequence[Overload]) -> dict[Form, float]:
    """Each form's ratio of goodput to capacity, the mean over its overloads."""
    forms = dict.fromkeys(one.form for one in overloads)
    return {form: mean(one.ratio for one in overloads if one.form == form) for form in forms}


def _wrong(records: Sequence[Record]) -> list[str]:
    """The faults that no load excuses: wrong pairs and failed requests."""
    wrong = [what for record in records for what in record.wrong]
    failed = [attempt for record in records for attempt in record.failed]
    codes = sorted({attempt.code or attempt.wrong or attempt.end for attempt in failed})
    lines = [f"{len(wrong)} pairs were answered wrongly, such as: {wrong[0]}"] if wrong else []
    return lines + ([f"{len(failed)} requests failed: {', '.join(codes)}"] if failed else [])


def report(overloads: Sequence[Overload], plan: OverloadPlan, *, apart: bool) -> str:
    """The whole report."""
    where = "the service on a core of its own, its clients on the others" if apart else "both on one core"
    size = f"{plan.size.pairs} pairs of {plan.size.side} px a request"
    times = f"{plan.rounds} overloads of {plan.seconds:g} s each, of which the first quarter is not counted"
    patience = f"a refused client gives up {plan.patience:g} s after it came, unless the end cuts it short before"
    means = [[form, f"**{ratio:.2f}**"] for form, ratio in ratios(overloads).items()]
    parts = [
        verdict_lines(faults(overloads, plan)),
        f"{size}, {times}; {patience}. Machine: {machine()}; {where}.",
        table(["over", "goodput over capacity, mean"], means),
        records_table([_row(one) for one in overloads]),
    ]
    return "\n\n".join(parts) + "\n"


def _row(one: Overload) -> dict[str, object]:
    accepted, refusals = one.counted(one.record.answered), one.counted(one.record.refused)
    waits = [attempt.retry_after for attempt in one.record.refused if attempt.retry_after is not None]
    return {
        "over": one.form,
        "capacity before, after, pairs/s (clients)": f"{', '.join(f'{c.rate:.0f}' for c in one.capacities)} "
        f"({one.clients})",
        "goodput, pairs/s": f"{one.goodput:.0f}",
        "ratio": f"{one.ratio:.2f}",
        "p50, p99 of accepted": _percentiles(accepted),
        "arrivals": one.record.arrivals,
        "refusals": len(one.record.refused),
        "came again": one.record.returned,
        "gave up (cut short)": f"{one.record.gave_up} ({one.record.cut_short})",
        "Retry-After, s": f"{min(waits)} to {max(waits)}" if waits else "none",
        "p50, p99 of refusals": _percentiles(refusals),
        "CPU a refusal / a pair": _cost(one),
        "slowest /metrics": f"{max(one.looks) * 1e3:.0f} ms",
        "most in the queue": f"{max(one.queue_pairs):.0f} pairs, {max(one.queue_bytes) / 2**20:.0f} MiB",
    }


def _cost(one: Overload) -> str:
    if isnan(one.refusal_cpu):
        return "none refused"
    return f"{one.refusal_cpu * 1e3:.2f} / {one.capacity_cpu * 1e3:.2f} ms"


def _percentiles(attempts: Sequence[Attempt]) -> str:
    if not attempts:
        return "none"
    middle, high = np.percentile([attempt.ended - attempt.begun for attempt in attempts], [50, 99])
    return f"{middle * 1e3:.0f}, {high * 1e3:.0f} ms"
