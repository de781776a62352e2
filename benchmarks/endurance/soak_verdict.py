"""What a soak shows: every attempt judged, the answers checked against the offline scorer, the counts compared."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.endurance.load.answers import apart
from benchmarks.endurance.load.checking import confusable, differences
from benchmarks.endurance.load.metrics import Counted
from benchmarks.endurance.load.pictures import Mark
from benchmarks.endurance.load.questions import GRPC_FORMS, Form, Row, Size, ask, expected_rows
from benchmarks.endurance.tally import (
    Attempt,
    End,
    Fate,
    Kind,
    Times,
    fate,
    in_flight_at_stop,
    may_be_counted_as,
    may_be_refused_as,
)
from semsim.scorer import Scorer

_SHOWN = 10


@dataclass
class Verdict:
    """Counts, and the faults: none when the service kept its word."""

    faults: list[str] = field(default_factory=list)
    requests: Counter[tuple[Form, Kind]] = field(default_factory=Counter)
    answered: Counter[Form] = field(default_factory=Counter)
    pairs: int = 0
    failed_pairs: int = 0
    refused: dict[Kind, Counter[str]] = field(default_factory=lambda: {kind: Counter() for kind in Kind})
    """By what the client meant to do, and code."""
    fates: Counter[Fate] = field(default_factory=Counter)
    cancelled_unanswered: int = 0
    owed_at_stop: int = 0
    largest_difference: float = 0.0
    confusable: int = 0

    def fault(self, attempt: Attempt, what: str) -> None:
        """Note one."""
        self.faults.append(f"{attempt.form}, seed {attempt.seed}, {attempt.kind}: {what}")

    @property
    def shown_faults(self) -> list[str]:
        """The first of them."""
        more = len(self.faults) - _SHOWN
        return self.faults[:_SHOWN] + ([f"and {more} more"] if more > 0 else [])


def judge(attempts: Sequence[Attempt], times: Times) -> Verdict:
    """Everything that needs no scores."""
    verdict = Verdict()
    answers: Counter[int] = Counter()
    kinds: dict[int, Attempt] = {}
    for attempt in attempts:
        kinds[attempt.seed] = attempt
        answers[attempt.seed] += attempt.end is End.ANSWERED
        verdict.owed_at_stop += in_flight_at_stop(attempt, times)
        if attempt.wrong is not None:
            verdict.fault(attempt, attempt.wrong)
        _judge_end(attempt, times, verdict)
    for seed, last in kinds.items():
        verdict.requests[last.form, last.kind] += 1
        if answers[seed] > 1:
            verdict.fault(last, f"answered {answers[seed]} times")
        if last.kind is Kind.GOOD and not answers[seed] and last.ended < times.stopped:
            verdict.fault(last, "never answered")
    return verdict


def _judge_end(attempt: Attempt, times: Times, verdict: Verdict) -> None:
    match attempt.end:
        case End.ANSWERED:
            verdict.answered[attempt.form] += 1
            if attempt.kind is Kind.MALFORMED:
                verdict.fault(attempt, f"expected {attempt.wanted_code}, got an answer")
        case End.REFUSED:
            verdict.refused[attempt.kind][attempt.code or ""] += 1
            if attempt.code not in {attempt.wanted_code, *may_be_refused_as(attempt, times)}:
                expected, after = attempt.wanted_code or "an answer", attempt.ended - times.began
                verdict.fault(attempt, f"expected {expected}, got {attempt.code}, {after:.1f} s after the beginning")
        case End.UNANSWERED | End.UNCONNECTED:
            what = fate(attempt, times)
            verdict.fates[what] += 1
            if what in (Fate.LOST, Fate.TURNED_AWAY):
                verdict.fault(attempt, f"{what}, {attempt.ended - times.began:.1f} s after the beginning")
        case End.LEFT:
            verdict.cancelled_unanswered += 1
        case _:
            verdict.fault(attempt, attempt.end.value)


def check_scores(
    attempts: Sequence[Attempt], verdict: Verdict, scorer: Scorer, mark: Mark, sizes: dict[int, Size]
) -> None:
    """Make the questions of all answers again, score them offline, and compare."""
    answered = [attempt for attempt in attempts if attempt.end is End.ANSWERED and attempt.kind is not Kind.MALFORMED]
    questions = (ask(attempt.seed, attempt.form, mark, sizes.get(attempt.seed)) for attempt in answered)
    everything: dict[int, list[Row]] = {}
    for attempt, (question, expected) in zip(answered, expected_rows(questions, scorer), strict=True):
        everything[attempt.seed] = expected
        verdict.pairs += len(expected)
        verdict.failed_pairs += sum(row.code is not None for row in expected)
        for what in differences(attempt.rows, expected, question.form):
            verdict.fault(attempt, what)
        for got, row in zip(attempt.rows, expected, strict=False):
            verdict.largest_difference = max(verdict.largest_difference, apart(got.distance, row.distance))
    verdict.confusable = confusable(row for rows in everything.values() for row in rows)
    if verdict.confusable:
        verdict.faults.append(f"{verdict.confusable} pairs of questions are too much alike: change the seed")


@dataclass(frozen=True, slots=True)
class Balance:
    """One count of the service against the client's: ``least`` it knows of, and as many more as it cannot know of."""

    name: str
    counted: int
    least: int
    unknown: int

    @property
    def holds(self) -> bool:
        """Whether the count lies where it must."""
        return self.least <= self.counted <= self.least + self.unknown


def balances(attempts: Sequence[Attempt], times: Times, counted: Counted) -> list[Balance]:
    """The service's counters against what the clients saw until then.

    What a client left, or the kill cut off, may have been counted or not: once, with one of the codes that it may have
    had. So all requests of a transport must balance together, too.
    """
    seen: Counter[tuple[str, str]] = Counter()
    unknown: Counter[tuple[str, str]] = Counter()
    pairs = unknown_pairs = 0
    for attempt in attempts:
        transport = "grpc" if attempt.form in GRPC_FORMS else "http"
        if attempt.end in (End.ANSWERED, End.REFUSED):
            code = "ok" if attempt.end is End.ANSWERED else attempt.code or ""
            seen.update(((transport, code), (transport, _ALL)))
            pairs += len(attempt.rows)
        elif codes := may_be_counted_as(attempt, times):
            unknown.update((transport, code) for code in (*codes, _ALL))
            unknown_pairs += _MOST_PAIRS if "ok" in codes else 0
    requests = counted.requests.copy()
    for (transport, _), count in counted.requests.items():
        requests[transport, _ALL] += count
    rows = [
        Balance(f"requests, {place[0]}, {place[1]}", requests[place], seen[place], unknown[place])
        for place in sorted(set(seen) | set(requests))
    ]
    rows.append(Balance("pairs", sum(counted.pairs.values()), pairs, unknown_pairs))
    return rows


_ALL = "all"
_MOST_PAIRS = 32
"""Pairs of a question that was left, at most."""
