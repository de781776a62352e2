"""The report of an overload, as Markdown."""

from collections.abc import Sequence
from statistics import mean

import numpy as np

from benchmarks.endurance.load.questions import Form
from benchmarks.endurance.overload import GOAL, QUEUE_BYTES, Measured, Plan
from benchmarks.endurance.overload_clients import Record
from benchmarks.endurance.soak_report import table, verdict_lines
from semsim_training.machine import machine

_HEAD = (
    "over",
    "capacity before, after, pairs/s (clients)",
    "goodput, pairs/s",
    "ratio",
    "p50, p99 of accepted",
    "arrivals",
    "refusals",
    "gave up (cut short)",
    "Retry-After, s",
    "p50, p99 of refusals",
    "CPU a refusal / a pair",
    "most in the queue",
)


def faults(measured: Sequence[Measured], plan: Plan) -> list[str]:
    """What should not have been."""
    found = [
        f"{form}: goodput {ratio:.3f} of capacity, goal {GOAL}"
        for form, ratio in ratios(measured).items()
        if ratio < GOAL
    ]
    for one in measured:
        for phase, records in (("at capacity", one.busy), ("in the overload", [one.record])):
            found += [f"{one.form}, {phase}: {what}" for what in _wrong(records)]
        if refused := sum(len(record.refused) for record in one.busy):
            found.append(f"{one.form}: {refused} refusals at capacity, from fewer clients than the queue has room for")
        if max(one.queue_pairs) > plan.queue_pairs or max(one.queue_bytes) > QUEUE_BYTES:
            found.append(
                f"{one.form}: the queue held {max(one.queue_pairs):.0f} pairs, {max(one.queue_bytes):.0f} bytes"
            )
        if any(reply.retry_after is None for reply in one.record.refused):
            found.append(f"{one.form}: refused without Retry-After")
    return found


def ratios(measured: Sequence[Measured]) -> dict[Form, float]:
    """For each form its goodput over its capacity, the mean of its overloads."""
    forms = dict.fromkeys(one.form for one in measured)
    return {form: mean(one.ratio for one in measured if one.form == form) for form in forms}


def _wrong(records: Sequence[Record]) -> list[str]:
    """What may be neither at capacity nor above it."""
    wrong = [what for record in records for what in record.wrong]
    codes = [str(reply.code) for record in records for reply in record.failed]
    found = [f"{len(wrong)} pairs were answered wrongly, such as: {wrong[0]}"] if wrong else []
    return found + ([f"{len(codes)} requests failed: {', '.join(sorted(set(codes)))}"] if codes else [])


def report(measured: Sequence[Measured], plan: Plan, *, apart: bool) -> str:
    """The whole report."""
    where = "the service on a core of its own, its clients on the others" if apart else "both on one core"
    size = f"{plan.size.pairs} pairs of {plan.size.side} px a request"
    times = f"{plan.rounds} overloads of {plan.seconds:g} s each, of which the first quarter is not counted"
    patience = f"a refused client gives up {plan.patience:g} s after it came, unless the end cuts it short before"
    what = f"{size}, {times}; {patience}. Machine: {machine()}; {where}."
    means = table(
        ("over", "goodput over capacity, mean"),
        ([form, f"**{ratio:.2f}**"] for form, ratio in ratios(measured).items()),
    )
    return "\n\n".join([verdict_lines(faults(measured, plan)), what, means, table(_HEAD, map(_row, measured))]) + "\n"


def _row(one: Measured) -> list[str]:
    accepted = [reply.ended - reply.begun for reply in one.record.answered if one.counts(reply.ended)]
    refusals = [reply.ended - reply.begun for reply in one.record.refused if one.counts(reply.ended)]
    told = [reply.retry_after for reply in one.record.refused if reply.retry_after is not None]
    return [
        one.form.value,
        f"{', '.join(f'{capacity.rate:.0f}' for capacity in one.capacities)} ({one.clients})",
        f"{one.goodput:.0f}",
        f"{one.ratio:.2f}",
        _percentiles(accepted),
        str(one.record.arrivals),
        str(len(one.record.refused)),
        f"{one.record.gave_up} ({one.record.cut_short})",
        f"{min(told)} to {max(told)}" if told else "none",
        _percentiles(refusals),
        _cost(one, len(refusals), len(accepted) * one.pairs),
        f"{max(one.queue_pairs):.0f} pairs, {max(one.queue_bytes) / 2**20:.0f} MiB",
    ]


def _cost(one: Measured, refusals: int, pairs: int) -> str:
    """Processor time of a refusal: what the overload used beyond its answered pairs at the price of capacity."""
    if not refusals:
        return "none refused"
    refusal = max(0.0, one.cpu - one.capacity_cpu * pairs) / refusals
    return f"{refusal * 1e3:.2f} / {one.capacity_cpu * 1e3:.2f} ms"


def _percentiles(seconds: Sequence[float]) -> str:
    if not seconds:
        return "none"
    middle, high = np.percentile(seconds, [50, 99])
    return f"{middle * 1e3:.0f}, {high * 1e3:.0f} ms"
