"""The report of a soak, as Markdown."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.endurance.load.checking import EXACT_TOLERANCE, SINGLE_TOLERANCE
from benchmarks.endurance.load.questions import DISTANCE_TOLERANCE, Form
from benchmarks.endurance.memory import draw_memory
from benchmarks.endurance.soak import Soak
from benchmarks.endurance.soak_memory import GROWTH_BLOCKS, GROWTH_MIB_PER_HOUR, WARM_UP_SECONDS
from benchmarks.endurance.tally import SETTLE_SECONDS, Fate, Kind
from semsim_training.machine import machine


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def verdict_lines(faults: Sequence[str]) -> str:
    """The result in one line, and the faults below it."""
    if not faults:
        return "**Result: no fault.**"
    return "**Result: faults.**\n\n" + "\n".join(f"* {fault}" for fault in faults)


def report(result: Soak, picture: Path | None = None) -> str:
    """The whole report; draws the picture where it is given a path."""
    parts = [verdict_lines(result.verdict.shown_faults), _what(result), _requests(result), _answers(result)]
    parts += [_unanswered(result), _stop(result), _memory(result, picture), _privacy(result), _balance(result)]
    return "\n\n".join(parts) + "\n"


def _what(result: Soak) -> str:
    plan, minutes = result.plan, (result.times.stopped - result.times.began) / 60
    clients = f"{plan.http_clients} HTTP and {plan.grpc_clients} gRPC clients and {plan.stream_clients} on one stream"
    return f"{minutes:.1f} minutes, {clients}, seed {plan.mix.seed}. Machine: {machine()}."


def _requests(result: Soak) -> str:
    requests, answered = result.verdict.requests, result.verdict.answered
    rows = [[form.value, *(requests[form, kind] for kind in Kind), answered[form]] for form in Form]
    total = ["all", *(sum(requests[form, kind] for form in Form) for kind in Kind), sum(answered.values())]
    head = ["requests", *(kind.value for kind in Kind), "answered with scores"]
    return table(head, [*rows, total])


def _answers(result: Soak) -> str:
    verdict = result.verdict
    return (
        f"{verdict.pairs} pairs in answers, {verdict.failed_pairs} of them broken on purpose, each compared with the "
        f"offline scorer: largest difference of a distance {verdict.largest_difference:.1e} (allowed "
        f"{DISTANCE_TOLERANCE:g}, of a leakage what follows from it), mse, psnr and ssim within {EXACT_TOLERANCE:g} of "
        f"themselves ({SINGLE_TOLERANCE:g} over ModelInfer, in single precision), pairs of which one's "
        f"answer could pass for another's: "
        f"{verdict.confusable}. " + " ".join(_refusals(kind, verdict.refused[kind]) for kind in Kind)
    )


def _refusals(kind: Kind, refused: Counter[str]) -> str:
    codes = ", ".join(f"{code} {count}" for code, count in sorted(refused.items())) or "none"
    return f"Refused, {kind}: {codes}."


def _unanswered(result: Soak) -> str:
    verdict, fates = result.verdict, result.verdict.fates
    return (
        f"The worker was killed (SIGKILL) after {(result.times.killed - result.times.began) / 60:.1f} minutes; another "
        f"served after {result.restart_seconds:.1f} s. Attempts {Fate.CUT}: {fates[Fate.CUT]}; {Fate.NO_WORKER}: "
        f"{fates[Fate.NO_WORKER]}. Their clients saw a closed connection, came again and were answered. Cancelled and "
        f"never answered: {verdict.cancelled_unanswered}. **Lost: {fates[Fate.LOST]}.**"
    )


def _stop(result: Soak) -> str:
    return (
        f"SIGTERM: {result.verdict.owed_at_stop} requests in flight whose last byte had been sent at least "
        f"{SETTLE_SECONDS:g} s before, all answered unless listed above; {result.verdict.fates[Fate.STOPPED]} sent "
        f"later were turned away. The service ended after {result.exit_seconds:.1f} s with code {result.exit_code}."
    )


def _memory(result: Soak, picture: Path | None) -> str:
    growth, mib = result.growth, [sample.mib for sample in result.samples]
    told = f"Memory of all processes of the service: {min(mib):.0f} to {max(mib):.0f} MiB. "
    if growth is None:
        told += "The run was too short for a slope."
    else:
        told += (
            f"Slope after {WARM_UP_SECONDS:g} s of warm-up of each worker: {growth.mib_per_hour:+.0f} MiB/hour "
            f"(95% confidence {growth.low:+.0f} to {growth.high:+.0f}; {growth.blocks} means of 15 s). A "
            f"fault where the lower end is above {GROWTH_MIB_PER_HOUR:g}, from {GROWTH_BLOCKS} means on."
        )
    if picture is None:
        return told
    times = result.times
    draw_memory(
        result.samples, [("killed", times.killed), ("serves again", times.back), ("SIGTERM", times.stopped)], picture
    )
    return f"{told}\n\n![Memory over time]({picture.name})"


def _privacy(result: Soak) -> str:
    return (
        f"Every image carried a mark. {result.files} files were searched for it, as it is, in base64 and in "
        "hexadecimal: the log, all of BENTOML_HOME and TMPDIR, and /dev/shm."
    )


def _balance(result: Soak) -> str:
    head = ["counted by the service", "count", "seen by the clients", "may have been counted, too"]
    rows = [[row.name, row.counted, row.least, row.unknown] for row in result.balance]
    return f"The service's counters, over both workers, before the stop:\n\n{table(head, rows)}"
