"""A soak notices doubled, missing and late answers, wrong scores, counts that do not balance, and growth."""

from collections import Counter
from dataclasses import replace

import pytest

from benchmarks.harness.clients import Attempt, End, Purpose
from benchmarks.harness.metrics import Metrics, read_metrics
from benchmarks.harness.questions import Form, Mark, ask
from benchmarks.harness.rows import Row, expected_rows
from benchmarks.soak.result import Fate, Slope, Times
from benchmarks.soak.verdict import balances, check_scores, fate, growth_fault, judge, slope
from semsim import Scorer

MARK = Mark.of(1)
TIMES = Times(began=0.0, killed=100.0, back=110.0, burst=299.6, stopped=300.0, exited=302.0)


def _attempt(seed: int = 1, *, begun: float = 50.0, ended: float = 51.0, end: End = End.ANSWERED) -> Attempt:
    return Attempt(seed, Form.JSON, begun=begun, written=begun, ended=ended, end=end)


def _metrics(codes: dict[str, int], pairs: int = 0) -> Metrics:
    requests = "".join(
        f'semsim_requests_total{{transport="http",code="{code}"}} {count}\n' for code, count in codes.items()
    )
    return read_metrics(f'{requests}semsim_pairs_total{{code="ok"}} {pairs}\n')


def test_wrong_scores_double_answers_and_silence_are_faults(small_scorer: Scorer) -> None:
    """A right answer is none; a wrong one, a second one, and a question that is never answered are."""
    ((_, rows),) = expected_rows([ask(1, Form.JSON, MARK)], small_scorer)
    good, wrong = _attempt(), _attempt()
    good.rows, wrong.rows = rows, [Row(row.id, distance=row.distance + 0.01) for row in rows]
    for attempts, faults in (([good], 0), ([wrong], len(rows)), ([good, good], 1)):
        verdict = judge(attempts, TIMES)
        check_scores(attempts, verdict, small_scorer, MARK, {})
        assert len(verdict.faults) == faults, verdict.faults
    empty = _attempt()
    empty.rows = []
    check_scores([empty], verdict := judge([empty], TIMES), small_scorer, MARK, {})
    assert len(verdict.faults) == 1


@pytest.mark.parametrize(
    ("begun", "code", "allowed"),
    [
        (50.0, "overloaded", False),
        (50.0, "not_ready", False),
        (105.0, "not_ready", True),
        (105.0, "overloaded", False),
        (120.0, "not_ready", False),
        (299.7, "overloaded", True),
        (299.7, "not_ready", False),
        (300.5, "not_ready", True),
        (300.5, "internal", False),
    ],
)
def test_only_the_kill_and_the_stop_excuse_a_refusal(begun: float, code: str, allowed: bool) -> None:
    """A right request is turned away by a worker that starts or stops, or by the burst before the stop, or never."""
    refused = replace(_attempt(begun=begun, ended=begun + 0.1, end=End.REFUSED), code=code)
    verdict = judge([refused, _attempt(begun=begun + 0.2, ended=begun + 0.3)], TIMES)
    assert (not verdict.faults) is allowed
    assert verdict.refused[Purpose.GOOD] == {code: 1}


@pytest.mark.parametrize(
    ("begun", "ended", "end", "expected"),
    [
        (99.0, 100.1, End.UNANSWERED, Fate.CUT),
        (99.0, 100.1, End.UNCONNECTED, Fate.CUT),
        (105.0, 105.0, End.UNCONNECTED, Fate.NO_WORKER),
        (111.0, 111.0, End.UNCONNECTED, Fate.NO_WORKER),
        (111.0, 111.0, End.UNANSWERED, Fate.LOST),
        (50.0, 51.0, End.UNANSWERED, Fate.LOST),
        (50.0, 51.0, End.UNCONNECTED, Fate.TURNED_AWAY),
        (299.0, 301.0, End.UNANSWERED, Fate.LOST),
        (299.9, 301.0, End.UNANSWERED, Fate.STOPPED),
        (301.0, 301.0, End.UNCONNECTED, Fate.STOPPED),
    ],
)
def test_an_attempt_without_an_answer_is_judged_by_when_it_was(
    begun: float, ended: float, end: End, expected: Fate
) -> None:
    """Only the kill and the stop excuse a request that got no answer."""
    assert fate(_attempt(begun=begun, ended=ended, end=end), TIMES) is expected


def test_counters_must_lie_between_what_was_seen_and_what_may_have_been() -> None:
    """One request more than the clients can explain, or one less than they saw, does not balance."""
    left = replace(_attempt(2, end=End.LEFT))
    seen = [_attempt(), left]
    for counted, holds in ((0, False), (1, True), (2, True), (3, False)):
        rows = balances(seen, TIMES, _metrics({}), _metrics({"ok": counted}))
        row = next(row for row in rows if row.name == "requests, http, ok")
        assert row.holds is holds
    for codes, broken in (
        ({"ok": 1, "cancelled": 1}, set()),
        ({"ok": 1, "invalid_request": 1}, {"requests, http, invalid_request"}),
        ({"ok": 2, "cancelled": 1}, {"requests, http, all"}),
    ):
        before, after = _metrics({"ok": 5}, pairs=7), _metrics(Counter(ok=5) + Counter(codes), pairs=8)
        seen[0].rows = [Row(None)]
        assert {row.name for row in balances(seen, TIMES, before, after) if not row.holds} == broken


def test_growth_is_a_fault_only_where_it_is_certain() -> None:
    """The whole interval must be above what is allowed, and the means enough."""
    assert growth_fault(Slope(100.0, 61.0, 139.0, 30)) is not None
    assert growth_fault(Slope(100.0, 59.0, 141.0, 30)) is None
    assert growth_fault(Slope(100.0, 61.0, 139.0, 10)) is None
    assert growth_fault(None) is None


def test_a_slope_is_found_over_stretches_of_different_levels() -> None:
    """60 MiB an hour, on two levels, is found, with an interval that holds it; noise alone has one that holds zero."""
    samples = [(t, 200 + t / 60 + (30 if t >= 300 else 0) + (t % 7) * 0.1) for t in range(600)]
    growth = slope(samples, [(0, 300), (300, 600)])
    assert growth is not None
    assert growth.low <= 60 <= growth.high
    assert growth.high - growth.low < 10
    assert slope(samples, [(0, 20)]) is None
