"""What the proofs would notice: crossed, doubled, missing and late answers, traces, growth, marks left behind."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from math import nan
from pathlib import Path
from typing import Any

import pytest

from benchmarks.endurance.findings import http_fault, traces_of
from benchmarks.endurance.inputs.corpus import make_corpus
from benchmarks.endurance.inputs.kinds import KINDS
from benchmarks.endurance.load.answers import Unreadable
from benchmarks.endurance.load.checking import confusable, differences
from benchmarks.endurance.load.grpc_forms import message_rows
from benchmarks.endurance.load.http_forms import http_request, request_bytes
from benchmarks.endurance.load.http_wire import HTTPAnswer
from benchmarks.endurance.load.metrics import Counted, read_metrics
from benchmarks.endurance.load.pictures import Mark
from benchmarks.endurance.load.questions import Form, Row, Size, ask, expected_rows
from benchmarks.endurance.malformed import Block, Malformed, blocks, make
from benchmarks.endurance.memory import Sample, Slope, slope
from benchmarks.endurance.overload_clients import Prepared, Record, Reply, asked
from benchmarks.endurance.scored import scored_fault
from benchmarks.endurance.soak_memory import growth_fault
from benchmarks.endurance.soak_verdict import balances, check_scores, judge
from benchmarks.endurance.tally import Attempt, End, Fate, Kind, Times, fate
from benchmarks.endurance.traces import find_traces
from semsim import Scorer
from semsim_service.core.answer import answer
from semsim_service.grpc_transport.answers import score_message
from semsim_service.grpc_transport.outputs import OUTPUTS
from semsim_service.grpc_transport.outputs import infer_message as infer_answer

MARK = Mark.of(1)
TIMES = Times(began=0.0, killed=100.0, back=110.0, burst=299.6, stopped=300.0, exited=302.0)
_SCORED = {
    "id": None,
    "distance": 0.1,
    "leakage": 0.7,
    "recognizable": True,
    "mse": 4.0,
    "psnr": None,
    "ssim": 1.0,
    "resized": False,
}
_SUMMARY = {"pairs": 1, "failed": 0, "max_leakage": 0.7, "mean_leakage": 0.7, "recognizable": 1}


def _attempt(seed: int = 1, *, begun: float = 50.0, ended: float = 51.0, end: End = End.ANSWERED) -> Attempt:
    return Attempt(seed, Form.JSON, Kind.GOOD, begun, written=begun, ended=ended, end=end)


def test_a_seed_gives_the_same_request_and_no_other_does() -> None:
    """Questions can be made again after the run; another seed's are other bytes."""
    requests = [http_request(ask(seed, Form.MULTIPART, MARK)) for seed in (1, 1, 2)]
    assert requests[0] == requests[1] != requests[2]


def test_crossed_answers_are_told_apart(small_scorer: Scorer) -> None:
    """The answer of one question, even under the other's ids, is not taken for the other's."""
    questions = [ask(seed, Form.JSON, MARK) for seed in range(1, 40)]
    rows = [row for _, expected in expected_rows(questions, small_scorer) for row in expected if row.code is None]
    assert confusable(rows) == 0
    for one, other in pairwise(rows):
        assert differences([one], [one], Form.JSON) == []
        assert differences([replace(one, id=other.id)], [other], Form.JSON)


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
    assert verdict.refused[Kind.GOOD] == {code: 1}


@pytest.mark.parametrize("name", ["distance", "leakage", "recognizable", "mse", "psnr", "ssim"])
def test_no_number_may_be_missing_or_another(bundled: Scorer, name: str) -> None:
    """NaN, nothing, and another value are each told from the right one, of every number of a pair."""
    ((_, rows),) = expected_rows([ask(1, Form.JSON, MARK, Size(pairs=1, side=32))], bundled)
    right = getattr(rows[0], name)
    wrong: list[Any] = [None, not right] if name == "recognizable" else [None, nan, right + 0.01 * max(1.0, abs(right))]
    assert not rows[0].undecided
    for value in wrong:
        assert differences([replace(rows[0], **{name: value})], rows, Form.JSON), value


def test_a_pair_at_the_threshold_may_be_called_either(bundled: Scorer) -> None:
    """Where the leakage lies so near the threshold that its tolerance crosses it, and only there."""
    ((_, rows),) = expected_rows([ask(1, Form.JSON, MARK, Size(pairs=1, side=32))], bundled)
    other = replace(rows[0], recognizable=not rows[0].recognizable)
    assert differences([other], rows, Form.JSON)
    assert not differences([other], [replace(rows[0], undecided=True)], Form.JSON)
    assert 0 < rows[0].leakage_tolerance < 1e-4


@pytest.mark.parametrize(
    ("results", "summary", "readable"),
    [
        ([_SCORED], _SUMMARY, True),
        ([_SCORED], _SUMMARY | {"max_leakage": 0.6}, False),
        ([_SCORED], _SUMMARY | {"recognizable": 0}, False),
        ([_SCORED], _SUMMARY | {"failed": 1}, False),
        ([_SCORED | {"distance": None}], _SUMMARY, False),
        ([_SCORED | {"leakage": None}], _SUMMARY, False),
        ([], _SUMMARY, False),
        (None, _SUMMARY, False),
    ],
)
def test_an_answer_is_read_whole_or_not_at_all(results: object, summary: object, readable: bool) -> None:
    """Its numbers are numbers, and its summary is that of its rows; a 200 to a malformed request is held to it, too."""
    body = json.dumps({"results": results, "summary": summary}).encode()
    request = request_bytes({"Content-Type": "application/json"}, b'{"pairs":[{}]}')
    assert (scored_fault(request, HTTPAnswer(200, {}, body)) is None) is readable
    if readable:
        two = request_bytes({"Content-Type": "application/json"}, b'{"pairs":[{},{}]}')
        assert scored_fault(two, HTTPAnswer(200, {}, body)) is not None
        assert scored_fault(two, HTTPAnswer(400, {}, b"")) is None


def test_the_rows_of_every_grpc_form_hold_all_that_is_compared(bundled: Scorer) -> None:
    """Made by the service's own code from the scorer's results, they are the expected ones."""
    question, expected = next(expected_rows([ask(3, Form.INFER, MARK, Size(pairs=2, side=32))], bundled))
    made = answer(bundled.manifest, question.ids, bundled.score_pairs(question.pairs))
    infer = infer_answer(made, list(OUTPUTS), "").SerializeToString()
    assert not differences(message_rows(Form.INFER, infer), expected, Form.INFER)
    assert not differences(message_rows(Form.BATCH, score_message(made).SerializeToString()), expected, Form.BATCH)
    with pytest.raises(Unreadable):
        message_rows(Form.INFER, infer[:-1])


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
        totals = Counted(Counter({("http", "ok"): counted}), Counter(), 0.0, 0.0)
        row = next(row for row in balances(seen, TIMES, totals) if row.name == "requests, http, ok")
        assert row.holds is holds
    for codes, broken in (
        ({"ok": 1, "cancelled": 1}, set()),
        ({"ok": 1, "invalid_request": 1}, {"requests, http, invalid_request"}),
        ({"ok": 2, "cancelled": 1}, {"requests, http, all"}),
    ):
        totals = Counted(Counter({("http", code): count for code, count in codes.items()}), Counter({"ok": 1}), 0, 0)
        seen[0].rows = [Row(None)]
        assert {row.name for row in balances(seen, TIMES, totals) if not row.holds} == broken


def test_counters_that_are_not_there_are_not_zero() -> None:
    """A page of metrics without the queue's gauges is refused."""
    gauges = "semsim_queue_pairs 3\nsemsim_queue_bytes 4\n"
    assert read_metrics(gauges).queue_pairs == 3
    with pytest.raises(OSError, match="semsim_queue_bytes"):
        read_metrics("semsim_queue_pairs 3\n")


def test_growth_is_a_fault_only_where_it_is_certain() -> None:
    """Where the whole interval is above what is allowed, of enough means."""
    assert growth_fault(Slope(100.0, 61.0, 139.0, 30)) is not None
    assert growth_fault(Slope(100.0, 59.0, 141.0, 30)) is None
    assert growth_fault(Slope(100.0, 61.0, 139.0, 10)) is None
    assert growth_fault(None) is None


def test_wrong_answers_are_no_goodput() -> None:
    """An answer with another's rows counts as wrong, not as answered; the clients go on."""
    question = ask(1, Form.JSON, MARK, Size(pairs=1, side=32))
    replies = [Reply(0.0, 0.0, rows=[Row("q1.0", distance=distance)]) for distance in (1.0, 2.0)]
    waiting = iter(replies)

    async def reply(_: Prepared) -> Reply:
        return next(waiting, Reply(0.0, 0.0, code="closed"))

    async def ask_thrice() -> Record:
        record = Record()
        for _ in range(3):
            await asked(record, reply, Prepared(question, b"", [Row("q1.0", distance=1.0)]))
        return record

    record = asyncio.run(ask_thrice())
    assert (len(record.answered), len(record.wrong), len(record.failed)) == (1, 1, 1)


def test_a_slope_is_found_over_stretches_of_different_levels() -> None:
    """60 MiB an hour, on two levels, is found, with an interval that holds it; noise alone has one that holds zero."""
    samples = [Sample(t, 200 + t / 60 + (30 if t >= 300 else 0) + (t % 7) * 0.1) for t in range(600)]
    found = slope(samples, [(0, 300), (300, 600)])
    assert found is not None
    assert found.low <= 60 <= found.high
    assert found.high - found.low < 10
    assert slope(samples, [(0, 20)]) is None


def test_marks_are_found_in_any_shape(tmp_path: Path) -> None:
    """As it is, in hexadecimal, in base64 at any alignment; a file without it is not reported."""
    import base64

    (tmp_path / "none").write_bytes(b"x" * 100)
    for index, content in enumerate(
        (MARK.text, MARK.text.hex().encode(), *(base64.b64encode(b"abcd"[:n] + MARK.text + b"xyz") for n in range(4)))
    ):
        (tmp_path / f"holds{index}").write_bytes(b"\0" * 7 + content)
    count, found = find_traces(MARK, [tmp_path])
    assert count == 7
    assert [path.name for path in found] == [f"holds{index}" for index in range(6)]


def test_stack_traces_are_found_in_plain_and_json_logs() -> None:
    """By the error that they end with, counted."""
    trace = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nx.Error: 0xabc'
    plain = f"{trace}\nINFO go on\n{trace}\n".encode()
    line = (
        '{"event": "bad", "exception": "' + trace.replace('"', '\\"').replace("\n", "\\n") + '"}\n{"event": "on"}'
    ).encode()
    assert list(traces_of(plain).values()) == [2]
    assert [what.startswith("x.Error: 0x") for what in traces_of(line)] == [True]
    assert not traces_of(b'{"event": "all is well"}\n')


@pytest.mark.parametrize(
    ("status", "body", "faulty"),
    [
        (400, b'{"error": {"code": "invalid_request", "message": "no"}}', False),
        (503, b'{"error": {"code": "not_ready", "message": "no"}}', False),
        (504, b'{"error": {"code": "timeout", "message": "no"}}', False),
        (500, b'{"error": {"code": "internal", "message": "no"}}', True),
        (503, b"Service Unavailable", True),
        (400, b"Bad Request", True),
        (200, b'File "/srv/service.py", line 3', True),
        (200, b"", False),
        (307, b"", True),
    ],
)
def test_which_answers_are_faults(status: int, body: bytes, faulty: bool) -> None:
    """Undocumented 5xx, errors out of their envelope, and anything of a trace."""
    assert (http_fault(HTTPAnswer(status, {}, body), enveloped=True) is not None) is faulty


def test_malformed_inputs_can_be_made_again_one_by_one() -> None:
    """The n-th input of a kind is the same alone as in its block; each kind has its share."""
    corpus = make_corpus(1, MARK, "small")
    for kind in (kind for kind in KINDS if kind.makes is not None):
        together, alone = make(1, corpus, Block(kind, 10, 4)), make(1, corpus, Block(kind, 12, 1))
        assert together[2] == alone[0]
    planned: Counter[str] = Counter()
    for block in blocks(10_000):
        planned[block.kind.name] += block.count
    assert abs(planned.total() - 10_000) < len(KINDS)
    assert set(planned) == {kind.name for kind in KINDS}
    assert Malformed(1, 1).findings.told() == []
