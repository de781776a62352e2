"""The report of a soak, as Markdown."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.clients import Purpose
from benchmarks.harness.questions import GRPC_FORMS, HTTP_FORMS
from benchmarks.harness.reports import tallies, verdict_lines
from benchmarks.harness.rows import DISTANCE_TOLERANCE, EXACT_TOLERANCE, SINGLE_TOLERANCE
from benchmarks.soak.result import Fate, Soak, Times
from benchmarks.soak.verdict import GROWTH_BLOCKS, GROWTH_MIB_PER_HOUR, SETTLE_SECONDS, WARM_UP_SECONDS
from semsim_training.machine import machine
from semsim_training.markdown import table

_FORMS = (*HTTP_FORMS, *GRPC_FORMS)


def report(soak: Soak, picture: Path | None = None) -> str:
    """The whole report; draws the picture where it is given a path."""
    verdict, plan, times, fates = soak.verdict, soak.plan, soak.times, soak.verdict.fates
    parts = [
        verdict_lines(verdict.faults),
        f"{(times.stopped - times.began) / 60:.1f} minutes, {plan.http_clients} HTTP and {plan.grpc_clients} gRPC "
        f"clients and {plan.stream_clients} on one stream, seed {plan.seed}. Machine: {machine()}.",
        _requests(soak),
        f"{verdict.pairs} pairs in answers, {verdict.failed_pairs} of them broken on purpose and "
        f"{verdict.uninformative_pairs} of which nothing can be told, each compared with the offline scorer: "
        f"largest difference of a distance {verdict.largest_difference:.1e} (allowed {DISTANCE_TOLERANCE:g}, of a "
        f"leakage what follows from it), mse, psnr and ssim within {EXACT_TOLERANCE:g} of themselves "
        f"({SINGLE_TOLERANCE:g} over ModelInfer, in single precision), pairs of which one's answer could pass for "
        f"another's: {verdict.confusable}. "
        + " ".join(f"Refused, {purpose}: {tallies(verdict.refused[purpose])}." for purpose in Purpose),
        f"The worker was killed (SIGKILL) after {(times.killed - times.began) / 60:.1f} minutes; another served after "
        f"{times.back - times.killed:.1f} s. Scoring processes killed then: {soak.helpers_killed}. Attempts "
        f"{Fate.CUT}: {fates[Fate.CUT]}; {Fate.NO_WORKER}: {fates[Fate.NO_WORKER]}. Their clients saw a closed "
        f"connection, came again and were answered. Cancelled and never answered: {verdict.cancelled_unanswered}. "
        f"**Lost: {fates[Fate.LOST]}.**",
        f"SIGTERM: {verdict.owed_at_stop} requests in flight whose last byte had been sent at least "
        f"{SETTLE_SECONDS:g} s before, all answered unless listed above; {fates[Fate.STOPPED]} sent later were turned "
        f"away. The service ended after {times.exited - times.stopped:.1f} s with code {soak.exit_code}.",
        _memory(soak),
    ]
    if picture is not None:
        draw_memory(soak.samples, times, picture)
        parts.append(f"![Memory over time]({picture.name})")
    head = ["counted by the service", "count", "seen by the clients", "may have been counted, too"]
    parts += [
        f"Every image carried a mark. {soak.files} files were searched for it, as it is, in base64 and in "
        "hexadecimal: the log, all of BENTOML_HOME and TMPDIR, and /dev/shm.",
        "The service's counters, over both workers, before the stop:",
        table(head, ([row.name, row.counted, row.least, row.unknown] for row in soak.balance)),
    ]
    return "\n\n".join(parts) + "\n"


def _requests(soak: Soak) -> str:
    requests, answered = soak.verdict.requests, soak.verdict.answered
    rows = [[form, *(requests[form, purpose] for purpose in Purpose), answered[form]] for form in _FORMS]
    total = ["all", *(sum(requests[form, purpose] for form in _FORMS) for purpose in Purpose), answered.total()]
    return table(["requests", *Purpose, "answered with scores"], [*rows, total])


def _memory(soak: Soak) -> str:
    growth, mib = soak.growth, [mib for _, mib in soak.samples]
    extent = f"Memory of all processes of the service: {min(mib):.0f} to {max(mib):.0f} MiB. "
    if growth is None:
        return extent + "The run was too short for a slope."
    return extent + (
        f"Slope after {WARM_UP_SECONDS:g} s of warm-up of each worker: {growth.mib_per_hour:+.0f} MiB/hour (95% "
        f"confidence {growth.low:+.0f} to {growth.high:+.0f}; {growth.blocks} means of 15 s). A fault where the lower "
        f"end is above {GROWTH_MIB_PER_HOUR:g}, from {GROWTH_BLOCKS} means on."
    )


def draw_memory(samples: Sequence[tuple[float, float]], times: Times, path: Path) -> None:
    """Memory over time as a PNG, with what happened meanwhile."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    begin = samples[0][0]
    axes.plot([(seconds - begin) / 60 for seconds, _ in samples], [mib for _, mib in samples], linewidth=1)
    events = {"killed": times.killed, "serves again": times.back, "SIGTERM": times.stopped}
    for number, (name, seconds) in enumerate(events.items()):
        minutes = (seconds - begin) / 60
        place = (minutes, 0.5 - 0.08 * number)
        axes.axvline(minutes, color="0.6", linestyle="--", linewidth=0.8)
        # Each a line lower: some are close together. The name ends at its line, where there is always room.
        axes.annotate(f"{name} ", place, xycoords=("data", "axes fraction"), fontsize=8, ha="right")
    axes.set(xlabel="minutes", ylabel="MiB (PSS, all processes)", ylim=(0, None))
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120, metadata={"Software": None})
