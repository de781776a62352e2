"""The load generator and short forms of the three proofs, one after another on one service, which the last one ends."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness.clients import Purpose
from benchmarks.harness.questions import Form, Size
from benchmarks.harness.server import Server, running, semsim_serve
from benchmarks.malformed import lanes
from benchmarks.malformed.findings import Findings
from benchmarks.malformed.report import report as malformed_report
from benchmarks.malformed.run import SETTINGS, blocks
from benchmarks.malformed.run import run as run_malformed
from benchmarks.overload import run as overload
from benchmarks.overload.report import report as overload_report
from benchmarks.overload.result import OverloadPlan
from benchmarks.overload.run import run as run_overload
from benchmarks.serving.cells import QUICK, Cell, Run
from benchmarks.serving.contenders import Contender
from benchmarks.serving.load import measure
from benchmarks.serving.pairs import Pairs
from benchmarks.soak.report import report as soak_report
from benchmarks.soak.result import Fate, SoakPlan
from benchmarks.soak.run import run as run_soak
from semsim import Scorer
from tests.conftest import CPU

pytestmark = pytest.mark.slow

QUEUE_PAIRS = 256
SIDE = 32


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, calibrated_artifact: Path) -> Iterator[Server]:
    """The service with a small calibrated model, which answers fast, and a small queue."""
    settings = SETTINGS | {"SEMSIM_QUEUE__PAIRS": str(QUEUE_PAIRS)}
    with running(semsim_serve(calibrated_artifact), tmp_path_factory.mktemp("benchmarks"), settings) as server:
        yield server


@pytest.fixture(scope="module")
def scorer(calibrated_artifact: Path) -> Scorer:
    """A scorer of the same model."""
    return Scorer(calibrated_artifact, providers=CPU)


def _pairs(scorer: Scorer) -> Pairs:
    images = np.random.default_rng(0).integers(0, 256, (2, 16, SIDE, SIDE, 3), dtype=np.uint8)
    scores = scorer.score_images(list(images[0]), list(images[1]))
    return Pairs(images[0], images[1], np.array([score.distance for score in scores]))


def _measure(folder: Path, server: Server, form: Form, path: str = "/score") -> Run:
    port = server.grpc_port if form is Form.BATCH else server.port
    contender = Contender("SemSim", form, path, port, os.getpid())
    return measure(folder, contender, Cell(SIDE, 2, 2), replace(QUICK, warm_up=0.0, seconds=0.3))


@pytest.mark.parametrize("form", [Form.JSON, Form.OCTETS, Form.BATCH])
def test_a_live_service_is_measured(form: Form, server: Server, scorer: Scorer, tmp_path: Path) -> None:
    """The load generator measures a service over HTTP and gRPC, and checks its answers against the library's."""
    _pairs(scorer).save(tmp_path, SIDE)
    run = _measure(tmp_path, server, form)
    assert run.pairs_per_second > 0
    assert 0 < run.p50 <= run.p99


def test_wrong_distances_do_not_count(server: Server, scorer: Scorer, tmp_path: Path) -> None:
    """Wrong distances end the measurement with an error, so that a fast and wrong server cannot win."""
    pairs = _pairs(scorer)
    Pairs(pairs.originals, pairs.reconstructions, pairs.distances + 0.01).save(tmp_path, SIDE)
    with pytest.raises(RuntimeError, match="expected distances"):
        _measure(tmp_path, server, Form.OCTETS)


def test_refusals_do_not_count(server: Server, scorer: Scorer, tmp_path: Path) -> None:
    """An answer that is no success ends the measurement with an error."""
    _pairs(scorer).save(tmp_path, SIDE)
    with pytest.raises(RuntimeError, match="expected status 200, got 404"):
        _measure(tmp_path, server, Form.OCTETS, "/nowhere")


def test_malformed_input_is_refused_in_order(server: Server, scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few inputs of every kind give no fault, and the report names each kind."""
    monkeypatch.setattr(lanes, "AT_ONCE_SECONDS", 0.1)
    findings = Findings(seed=2)
    run_malformed(server, scorer, findings, list(blocks(400)))
    text = malformed_report(findings)
    assert not findings.fault_lines()
    assert len(findings.outcomes) == findings.probes == text.count("\n| HTTP") + text.count("\n| gRPC")


def test_an_overload_keeps_the_queue_bounded(server: Server, scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An overload gives right answers, refusals that say when to come again, and a queue within its bound."""
    monkeypatch.setattr(overload, "WATCH_SECONDS", 0.2)
    plan = OverloadPlan(
        rounds=2,
        seconds=2.0,
        search_seconds=0.3,
        capacity_seconds=0.7,
        clients=(16,),  # fewer wait for each other, and their capacity is several times too low
        patience=2.0,
        size=Size(pairs=16, side=64),  # enough work that clients on the same cores are not what holds it back
        questions=40,
        queue_pairs=QUEUE_PAIRS,
    )
    overloads = run_overload(server, scorer, plan, (Form.OCTETS,))
    assert len(overloads) == 2
    for one in overloads:
        assert one.record.answered
        assert not one.record.wrong
        assert not one.record.failed
        assert one.record.refused
        assert all(attempt.retry_after for attempt in one.record.refused)
        assert one.cpu > 0
        assert not any(record.wrong or record.failed or record.refused for record in one.busy)
        assert max(one.queue_pairs) <= QUEUE_PAIRS
    due = max(attempt.ended + (attempt.retry_after or 0) for attempt in overloads[0].record.refused)
    assert min(attempt.begun for attempt in overloads[1].record.answered) > due
    assert overload_report(overloads, plan, apart=False).count("| HTTP octet-stream |") == 3


def test_a_soak_loses_and_crosses_nothing(server: Server, scorer: Scorer, tmp_path: Path) -> None:
    """Through a killed worker and a stop, every accepted request is answered once, with its own scores."""
    plan = SoakPlan(seconds=3.0, seed=2, malformed=0.1, cancelled=0.1, think_seconds=0.1, burst=2, picture_side=99)
    soak = run_soak(plan, server, scorer)
    text = soak_report(soak, tmp_path / "memory.png")
    assert not soak.verdict.faults
    assert soak.verdict.fates[Fate.LOST] == 0
    assert soak.verdict.pairs > 100
    assert sum(soak.verdict.requests[form, Purpose.MALFORMED] for form in Form)
    assert "no fault" in text
    assert (tmp_path / "memory.png").stat().st_size > 1000
