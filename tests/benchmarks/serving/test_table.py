"""The report is made from invented figures."""

import dataclasses

from benchmarks.harness.questions import Form
from benchmarks.serving.cells import Cell, Loop, Run, ServingPlan
from benchmarks.serving.contenders import Contender
from benchmarks.serving.measure import Results
from benchmarks.serving.table import goals, report

_PLAN = ServingPlan((Cell(64, 8, 1), Cell(64, 8, 16), Cell(64, 8, 64)), 3, 1.0, 0.1, 0.1, 64)
_MINE = Contender("SemSim", Form.OCTETS, "/score", 1, 1)
_PEER = Contender("Peer", Form.PIXEL_FORM, "/score", 2, 2)


def _run(speed: float, tail: float = 2.0) -> Run:
    return Run(speed, 0.1, 0.1 * tail, 0.001, 2**20, 0.05)


def _results(alone: float, many: float) -> Results:
    """Our speeds with one client and with many, beside a loop at 100 and a peer at 80."""
    results = Results(_PLAN, (_MINE, _PEER))
    for cell in _PLAN.cells:
        speed = alone if cell.clients == 1 else many
        results.loops |= {(cell, who, loop): [_run(100.0)] * 3 for who in (_MINE, _PEER) for loop in Loop}
        results.servers[cell, _MINE] = [_run(speed), _run(speed * 1.5), _run(speed * 0.5)]
        results.servers[cell, _PEER] = [_run(80.0)] * 3
    return results


def test_goals_are_judged_by_the_figures() -> None:
    """A goal is judged by the worst load of many clients; one client alone does not count."""
    reached = {goal.text: goal for goal in goals(_results(alone=10.0, many=95.0))}
    assert all(goal.met for goal in reached.values())
    missed = [goal.text for goal in goals(_results(alone=100.0, many=85.0)) if not goal.met]
    assert missed == [text for text in reached if "at least 0.9" in text]


def test_one_caller_with_one_pair_is_held_against_a_loop_over_single_pairs() -> None:
    """The p50 of one caller counts in times of the loop: 0.1 s is 10 times as long as a loop at 100 pairs a second."""
    cell, results = Cell(64, 1, 1), _results(alone=10.0, many=95.0)
    results.plan = dataclasses.replace(_PLAN, cells=(*_PLAN.cells, cell))
    results.loops |= {(cell, who, loop): [_run(100.0)] * 3 for who in (_MINE, _PEER) for loop in Loop}
    results.servers |= {(cell, who): [_run(10.0)] * 3 for who in (_MINE, _PEER)}
    (lone,) = (goal for goal in goals(results) if "one caller" in goal.text)
    assert (lone.met, lone.worst, lone.bound) == (False, cell, 1.3)
    assert abs(lone.values[cell] - 10.0) < 1e-9


def test_a_long_tail_is_told() -> None:
    """The goal of a short tail is missed, and the load with the longest tail is named."""
    results = _results(alone=95.0, many=95.0)
    worst = _PLAN.cells[-1]
    results.servers[worst, _MINE] = [dataclasses.replace(run, p99=0.5) for run in results.servers[worst, _MINE]]
    (goal,) = (goal for goal in goals(results) if not goal.met)
    assert (goal.worst, goal.held, goal.values[worst]) == (worst, 1, 5.0)


def test_the_report_names_every_contender_under_every_load() -> None:
    """The report has a figure for each contender and load, and says which goals are reached."""
    text = report(_results(alone=10.0, many=85.0))
    assert text.count("SemSim, raw over HTTP | 16 | 85 | 0.85") == 1
    assert "**yes**" in text
    assert "**no**" in text
    assert "0.85 (0.85)" in text
