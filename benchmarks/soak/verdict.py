"""The verdict on a soak, by the moments of its attempts, the offline scorer, the counters, and the memory."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy import stats

from benchmarks.harness.clients import Attempt, End, Purpose
from benchmarks.harness.metrics import Metrics
from benchmarks.harness.questions import GRPC_FORMS, MOST_PAIRS, Form, Mark, Size, ask
from benchmarks.harness.rows import Row, apart, confusable, differences, expected_rows
from benchmarks.soak.result import Balance, Fate, Slope, Times, Verdict
from semsim.scorer import Scorer

SETTLE_SECONDS = 0.25
"""A request whose last byte was handed to the system this long before SIGTERM counts as read by the service, which
then owes an answer. Later ones may still have been in the network when it stopped listening."""
RECONNECT_SECONDS = 2.0
"""A gRPC client that found the port closed looks again up to a second later, and says "closed" until then."""
WARM_UP_SECONDS = 60.0
"""A process's memory counts only after this many seconds of service."""
GROWTH_MIB_PER_HOUR = 60.0
"""The growth that memory must not certainly exceed, a MiB a minute. A slower rise is hard to see: a quarter of an hour
gives intervals of tens of MiB an hour."""
GROWTH_BLOCKS = 20
"""The number of means, those of five minutes, that are needed to speak of growth."""
_BLOCK_SECONDS = 15.0
"""One observation is the mean over this many seconds, because samples a second apart are alike."""
_CONFIDENCE = 0.95
_ALL = "all"


def fate(attempt: Attempt, times: Times) -> Fate:
    """The fate of an attempt that got no answer."""
    connected = attempt.end is not End.UNCONNECTED
    if attempt.begun < times.killed <= attempt.ended:
        return Fate.CUT
    if times.killed <= attempt.begun <= times.back + (0 if connected else RECONNECT_SECONDS):
        return Fate.NO_WORKER
    if attempt.ended >= times.stopped and not (connected and _was_read(attempt, times)):
        return Fate.STOPPED
    return Fate.LOST if connected else Fate.TURNED_AWAY


def owed_at_stop(attempt: Attempt, times: Times) -> bool:
    """True where the service owed the attempt an answer when SIGTERM came."""
    return attempt.purpose is Purpose.GOOD and _was_read(attempt, times) and attempt.ended > times.stopped


def _was_read(attempt: Attempt, times: Times) -> bool:
    return attempt.written is not None and attempt.written <= times.stopped - SETTLE_SECONDS


def may_be_refused_as(attempt: Attempt, times: Times) -> set[str]:
    """The codes with which a well-formed request may be turned away, because of when it was.

    The clients have a request each: only the burst before the stop has more pairs than the queue takes. A worker that
    starts, or one that stops, is not ready.
    """
    starts = times.killed <= attempt.ended and attempt.begun <= times.back + RECONNECT_SECONDS
    codes = {"overloaded"} if attempt.ended >= times.burst else set()
    return codes | ({"not_ready"} if starts or attempt.ended >= times.stopped else set())


def may_be_counted_as(attempt: Attempt, times: Times) -> set[str]:
    """The codes that the service may have counted for a request whose end its client did not see; none otherwise.

    It has counted one of them, or none at all where it never saw the request whole.
    """
    if attempt.end is End.LEFT:
        # gRPC may say that the message is missing before it says that the call is cancelled.
        cancelled_early = attempt.form in GRPC_FORMS and attempt.form is not Form.STREAM
        return {"ok", "cancelled"} | ({"invalid_request"} if cancelled_early else set())
    if attempt.end in (End.UNANSWERED, End.UNCONNECTED) and fate(attempt, times) is Fate.CUT:
        return {attempt.wanted_code or "ok"}
    return set()


def judge(attempts: Sequence[Attempt], times: Times) -> Verdict:
    """The verdict on everything but the scores of the answers."""
    verdict = Verdict()
    answers: Counter[int] = Counter()
    last_attempts: dict[int, Attempt] = {}
    for attempt in attempts:
        last_attempts[attempt.seed] = attempt
        answers[attempt.seed] += attempt.end is End.ANSWERED
        verdict.owed_at_stop += owed_at_stop(attempt, times)
        if attempt.wrong is not None:
            verdict.fault(attempt, attempt.wrong)
        _judge_end(attempt, times, verdict)
    for seed, last in last_attempts.items():
        verdict.requests[last.form, last.purpose] += 1
        if answers[seed] > 1:
            verdict.fault(last, f"answered {answers[seed]} times")
        if last.purpose is Purpose.GOOD and not answers[seed] and last.ended < times.stopped:
            verdict.fault(last, "never answered")
    return verdict


def _judge_end(attempt: Attempt, times: Times, verdict: Verdict) -> None:
    moment = f"{attempt.ended - times.began:.1f} s after the beginning"
    match attempt.end:
        case End.ANSWERED:
            verdict.answered[attempt.form] += 1
            if attempt.purpose is Purpose.MALFORMED:
                verdict.fault(attempt, f"expected {attempt.wanted_code}, got an answer")
        case End.REFUSED:
            verdict.refused[attempt.purpose][attempt.code or ""] += 1
            if attempt.code not in {attempt.wanted_code, *may_be_refused_as(attempt, times)}:
                verdict.fault(attempt, f"expected {attempt.wanted_code or 'an answer'}, got {attempt.code}, {moment}")
        case End.UNANSWERED | End.UNCONNECTED:
            what = fate(attempt, times)
            verdict.fates[what] += 1
            if what in (Fate.LOST, Fate.TURNED_AWAY):
                verdict.fault(attempt, f"{what}, {moment}")
        case End.LEFT:
            verdict.cancelled_unanswered += 1
        case _:
            verdict.fault(attempt, attempt.end.value)


def check_scores(
    attempts: Sequence[Attempt], verdict: Verdict, scorer: Scorer, mark: Mark, sizes: dict[int, Size]
) -> None:
    """Make the questions of all answers again, score them offline, and compare."""
    answered = [one for one in attempts if one.end is End.ANSWERED and one.purpose is not Purpose.MALFORMED]
    questions = (ask(attempt.seed, attempt.form, mark, sizes.get(attempt.seed)) for attempt in answered)
    all_rows: dict[int, list[Row]] = {}
    for attempt, (question, expected) in zip(answered, expected_rows(questions, scorer), strict=True):
        all_rows[attempt.seed] = expected
        verdict.pairs += len(expected)
        verdict.failed_pairs += sum(row.code is not None for row in expected)
        verdict.uninformative_pairs += sum(row.uninformative for row in expected)
        for what in differences(attempt.rows, expected, question.form):
            verdict.fault(attempt, what)
        for got, row in zip(attempt.rows, expected, strict=False):
            verdict.largest_difference = max(verdict.largest_difference, apart(got.distance, row.distance))
    verdict.confusable = confusable(row for rows in all_rows.values() for row in rows)
    if verdict.confusable:
        verdict.faults.append(f"{verdict.confusable} pairs of questions are too much alike: change the seed")


def balances(attempts: Sequence[Attempt], times: Times, before: Metrics, after: Metrics) -> list[Balance]:
    """The balances of the service's counters with what the clients saw until then.

    What a client left, or the kill cut off, may have been counted or not: once, with one of the codes that it may have
    had. So all requests of a transport must balance together, too.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    unknown: Counter[tuple[str, ...]] = Counter()
    pairs = unknown_pairs = 0
    for attempt in attempts:
        transport = "grpc" if attempt.form in GRPC_FORMS else "http"
        if attempt.end in (End.ANSWERED, End.REFUSED):
            code = "ok" if attempt.end is End.ANSWERED else attempt.code or ""
            seen.update(((transport, code), (transport, _ALL)))
            pairs += len(attempt.rows)
        elif codes := may_be_counted_as(attempt, times):
            unknown.update((transport, code) for code in (*codes, _ALL))
            unknown_pairs += MOST_PAIRS if "ok" in codes else 0
    counted, counted_before = (one.counts("semsim_requests_total", "transport", "code") for one in (after, before))
    requests = counted - counted_before
    for (transport, _), count in list(requests.items()):
        requests[transport, _ALL] += count
    counted_pairs = int(after.total("semsim_pairs_total") - before.total("semsim_pairs_total"))
    rows = [
        Balance(f"requests, {place[0]}, {place[1]}", requests[place], seen[place], unknown[place])
        for place in sorted(set(seen) | set(requests))
    ]
    return [*rows, Balance("pairs", counted_pairs, pairs, unknown_pairs)]


def slope(samples: Sequence[tuple[float, float]], stretches: Sequence[tuple[float, float]]) -> Slope | None:
    """The common slope of some stretches of time, each with a level of its own; None where there is too little."""
    times, values, levels = [], [], []
    for number, (begin, end) in enumerate(stretches):
        for block in _blocks([sample for sample in samples if begin <= sample[0] < end]):
            seconds, mib = np.mean(block, axis=0)
            times.append(seconds - begin)
            values.append(mib)
            levels.append(number)
    kinds = sorted(set(levels))
    freedom = len(times) - len(kinds) - 1
    if freedom < 1:
        return None
    design = np.column_stack([np.array(times), *(np.array(levels) == kind for kind in kinds)])
    solution, _, _, _ = np.linalg.lstsq(design, np.array(values), rcond=None)
    residual = np.array(values) - design @ solution
    variance = residual @ residual / freedom * np.linalg.inv(design.T @ design)[0, 0]
    margin = float(stats.t.ppf((1 + _CONFIDENCE) / 2, freedom) * np.sqrt(variance))
    hourly = float(solution[0])
    return Slope(hourly * 3600, (hourly - margin) * 3600, (hourly + margin) * 3600, len(times))


def _blocks(samples: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Whole blocks of samples."""
    blocks: dict[int, list[tuple[float, float]]] = {}
    for seconds, mib in samples:
        blocks.setdefault(int((seconds - samples[0][0]) // _BLOCK_SECONDS), []).append((seconds, mib))
    return list(blocks.values())[:-1]  # the last one is still open


def growth_fault(growth: Slope | None) -> str | None:
    """The fault where even the low end of the slope's confidence interval is above what is allowed."""
    if growth is None or growth.blocks < GROWTH_BLOCKS or growth.low <= GROWTH_MIB_PER_HOUR:
        return None
    return f"memory grows by {growth.low:.0f} MiB/hour or more, allowed {GROWTH_MIB_PER_HOUR:g}"
