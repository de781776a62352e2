"""The series of audits, its plot, and the metrics."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from prometheus_client import generate_latest

from semsim.exceptions import InvalidDataset
from semsim_federation.audit_metrics import AuditMetrics
from semsim_federation.leakage_report import Attempt, ImageLeakage, LeakageReport, LeakageVerdict
from semsim_federation.series import AuditedRound, append, plot_series, read_series

IMAGE = ImageLeakage(0.9, True, 0.001, True, True, 0.3, 20.0, "smooth")
REPORT = LeakageReport(
    verdict=LeakageVerdict.LEAKS, images=(IMAGE, replace(IMAGE, leakage=0.1, recognizable=False, leaked=False)),
    attempts=(Attempt("smooth", "matched", 0.97, 0.95, 3.0),), round=1, defense="none", batch=2, seconds=3.2,
    threshold=0.42, controls=400, luck=0.015, model="semsim-default 0.1.0",
    versions={"semsim": "0.1.0", "torch": "2", "numpy": "2"},
)  # fmt: skip
BLIND = replace(
    REPORT, verdict=LeakageVerdict.COULD_NOT_TELL, round=2, attempts=(),
    images=(ImageLeakage(None, None, None, False, False, None, None, ""),) * 2,
)  # fmt: skip


def test_each_audit_is_a_row(tmp_path: Path) -> None:
    """Rows come back as they were written, and nothing else is left in the folder."""
    path = tmp_path / "series.parquet"
    append(path, REPORT)
    append(path, BLIND)
    first, second = read_series(path)
    assert (first.round, first.verdict, first.share_leaked, first.leakage_max) == (1, "leaks", 0.5, 0.9)
    assert first.leakage_mean == pytest.approx(0.5)
    for untold in (second.leakage_max, second.leakage_mean, second.share_leaked, second.explained):
        assert math.isnan(untold)  # and never a low leakage
    assert [one.name for one in tmp_path.iterdir()] == ["series.parquet"]
    plot_series((first, second), tmp_path / "series.png")
    assert (tmp_path / "series.png").stat().st_size > 1000


def test_only_an_attack_that_explains_counts_as_explaining() -> None:
    """The share of an attack that found nothing, often below 0, is none that was explained."""
    failed = Attempt("smooth", "nothing_found", -0.655, -0.7, 3.0)
    assert math.isnan(AuditedRound.of(replace(BLIND, attempts=(failed,))).explained)
    partly = replace(REPORT, attempts=(failed, Attempt("dlg", "partly", 0.4, 0.3, 3.0)))
    assert AuditedRound.of(partly).explained == 0.4


def test_rounds_that_could_not_be_told_are_drawn_at_no_height(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are lines over the whole height: a mark at 0 would read as no leakage."""
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    plot_series([AuditedRound.of(REPORT), AuditedRound.of(BLIND)], tmp_path / "series.png")
    (axes,) = drawn[0].axes
    for line in axes.lines:
        heights = dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
        assert math.isnan(heights[2])
    (lines,) = axes.collections
    assert [segment.tolist() for segment in lines.get_segments()] == [[[2, 0], [2, 1]]]


def test_what_is_no_series_is_refused(tmp_path: Path) -> None:
    """A file of another kind is left as it is."""
    path = tmp_path / "series.parquet"
    path.write_bytes(b"something else")
    with pytest.raises(InvalidDataset, match="expected a series of audits"):
        append(path, REPORT)
    assert path.read_bytes() == b"something else"


def test_metrics_name_no_client() -> None:
    """The verdict is the only label."""
    metrics = AuditMetrics()
    metrics.observe(REPORT)
    metrics.observe(BLIND)
    text = generate_latest(metrics.registry).decode()
    assert 'semsim_fl_audits_total{verdict="leaks"} 1.0' in text
    assert 'semsim_fl_audits_total{verdict="not_shown"} 0.0' in text
    assert "semsim_fl_leakage_max NaN" in text
    assert "semsim_fl_leaked_share NaN" in text
    assert "client" not in text
