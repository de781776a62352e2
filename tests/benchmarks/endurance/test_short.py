"""Short forms of the three proofs, one after another on one service; the last of them ends it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.endurance import malformed_http
from benchmarks.endurance.load.pictures import Mark
from benchmarks.endurance.load.questions import Form, Size
from benchmarks.endurance.load.running import Running, running
from benchmarks.endurance.malformed import SETTINGS, Malformed, blocks
from benchmarks.endurance.malformed import run as run_malformed
from benchmarks.endurance.malformed_report import report as malformed_report
from benchmarks.endurance.overload import Plan as Overload
from benchmarks.endurance.overload import run as run_overload
from benchmarks.endurance.overload_report import report as overload_report
from benchmarks.endurance.soak import Plan, soak
from benchmarks.endurance.soak_clients import Mix
from benchmarks.endurance.soak_report import report as soak_report
from benchmarks.endurance.tally import Fate, Kind
from semsim import Scorer

QUEUE_PAIRS = 256


@pytest.fixture(scope="module")
def running_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The service with the bundled model and a small queue."""
    folder = tmp_path_factory.mktemp("endurance") / "service"
    with running(folder, SETTINGS | {"SEMSIM_QUEUE__PAIRS": str(QUEUE_PAIRS)}) as service:
        yield service


def test_malformed_input_is_refused_in_order(
    running_service: Running, bundled: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few inputs of every kind: no fault, and the report tells each kind."""
    monkeypatch.setattr(malformed_http, "AT_ONCE_SECONDS", 0.1)
    result = Malformed(seed=2, inputs=400)
    run_malformed(running_service, bundled, result, list(blocks(result.inputs)))
    text = malformed_report(result)
    assert not result.findings.told()
    assert len(result.findings.kinds()) == result.probes == text.count("\n| HTTP") + text.count("\n| gRPC")


def test_an_overload_keeps_the_queue_bounded(running_service: Running, bundled: Scorer) -> None:
    """At three times capacity: right answers, refusals that say when to come again, the queue within its bound."""
    plan = Overload(
        rounds=2,
        seconds=2.0,
        search_seconds=0.5,
        capacity_seconds=1.0,
        clients=(4,),
        patience=3.0,
        size=Size(pairs=8, side=32),
        questions=40,
        queue_pairs=QUEUE_PAIRS,
    )
    rounds = run_overload(running_service, bundled, plan, (Form.OCTETS,))
    assert len(rounds) == 2
    assert rounds[0].capacities[1] is rounds[1].capacities[0]
    for measured in rounds:
        assert measured.record.answered
        assert not measured.record.wrong
        assert not measured.record.failed
        assert measured.record.refused
        assert all(reply.retry_after for reply in measured.record.refused)
        assert measured.cpu > 0
        assert not any(record.wrong or record.failed or record.refused for record in measured.busy)
        assert max(measured.queue_pairs) <= QUEUE_PAIRS
    assert overload_report(rounds, plan, apart=False).count("| HTTP octet-stream |") == 3


def test_a_soak_loses_and_crosses_nothing(running_service: Running, bundled: Scorer, tmp_path: Path) -> None:
    """Mixed load, a worker killed, a stop: every accepted request answered once, with its own scores."""
    plan = Plan(seconds=3.0, mix=Mix(seed=2, mark=Mark.of(2), malformed=0.1, cancelled=0.1, think_seconds=0.1), burst=4)
    result = soak(plan, running_service, bundled)
    text = soak_report(result, tmp_path / "memory.png")
    assert not result.verdict.faults
    assert result.verdict.fates[Fate.LOST] == 0
    assert result.verdict.pairs > 100
    assert sum(result.verdict.requests[form, Kind.MALFORMED] for form in Form)
    assert "no fault" in text
    assert (tmp_path / "memory.png").stat().st_size > 1000
