"""The series of audits, its plot, and the metrics."""

import math
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure
from prometheus_client import generate_latest

from semsim.exceptions import InvalidDataset
from semsim_federation.audit_metrics import AuditMetrics
from semsim_federation.leakage_report import Attempt, ImageLeakage, LeakageReport, LeakageVerdict
from semsim_federation.series import AuditedRound, append, read_series
from semsim_federation.series_plot import plot_series

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
    append(str(path), BLIND)
    first, second = read_series(path)
    assert (first.round, first.verdict, first.share_leaked, first.leakage_max) == (1, "leaks", 0.5, 0.9)
    assert first.leakage_mean == pytest.approx(0.5)
    for untold in (second.leakage_max, second.leakage_mean, second.share_leaked, second.explained):
        assert math.isnan(untold)  # and never a low leakage
    assert [one.name for one in tmp_path.iterdir()] == ["series.parquet"]
    plot_series({"client": (first, second)}, tmp_path / "series.png")
    assert (tmp_path / "series.png").stat().st_size > 1000


def test_a_leakage_beside_an_update_that_nothing_explained_is_none(tmp_path: Path) -> None:
    """An attack that found nothing made images of a low leakage. They read as no leak neither in rows nor in gauges."""
    low = replace(IMAGE, leakage=0.01, recognizable=False, identified=False, leaked=False)
    report = replace(BLIND, images=(low, low), attempts=(Attempt("smooth", "nothing_found", -0.6, -0.7, 3.0),))
    row, metrics = AuditedRound.of(report), AuditMetrics()
    assert math.isnan(row.leakage_max)
    assert math.isnan(row.leakage_mean)
    metrics.observe(report)
    text = generate_latest(metrics.registry).decode()
    assert "semsim_fl_leakage_max NaN" in text
    assert "semsim_fl_leakage_mean NaN" in text


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
    plot_series({"client": [AuditedRound.of(REPORT), AuditedRound.of(BLIND)]}, tmp_path / "series.png")
    (axes,) = drawn[0].axes
    assert all(line.get_marker() != "None" for line in axes.lines)  # a round beside such rounds has no line
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


def test_a_series_has_controls_and_what_was_blocked(tmp_path: Path) -> None:
    """The rows hold the leakage of controls beside the same reconstructions, and whether the update was sent."""
    path = tmp_path / "series.parquet"
    append(path, replace(REPORT, control_leakages=(0.1, 0.3)), sent=False)
    append(path, BLIND)
    first, second = read_series(path)
    assert (first.control_mean, first.control_max, first.sent) == (0.2, 0.3, False)
    assert math.isnan(second.control_mean)
    assert second.sent is None


def test_a_series_without_the_newer_columns_goes_on(tmp_path: Path) -> None:
    """A series of a release that wrote fewer columns is read and appended to."""
    path = tmp_path / "series.parquet"
    append(path, REPORT)
    pq.write_table(pq.read_table(path).drop_columns(["control_mean", "control_max", "sent"]), path)
    append(path, REPORT, sent=True)
    old, new = read_series(path)
    assert (old.sent, new.sent) == (None, True)
    assert math.isnan(old.control_max)
    pq.write_table(pq.read_table(path).drop_columns(["verdict"]), path)
    with pytest.raises(InvalidDataset, match="expected a series of audits"):
        read_series(path)


def test_blocked_rounds_and_controls_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each series has a curve of its own, with a band of the controls and a ground of another colour where blocked."""
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    report = replace(REPORT, control_leakages=(0.1, 0.3))
    blocked, sent = AuditedRound.of(report, sent=False), AuditedRound.of(replace(report, round=2), sent=True)
    plot_series({"client-0": [blocked, sent], "client-1": [sent]}, tmp_path / "series.png")
    first, second = drawn[0].axes
    assert [axes.get_title() for axes in (first, second)] == ["client-0", "client-1"]
    (ground,) = first.patches
    assert ground.get_extents().transformed(first.transData.inverted()).x0 == pytest.approx(0.5)
    assert not second.patches
    (legend,) = drawn[0].legends
    assert {text.get_text() for text in legend.get_texts()} >= {"blocked", "controls, mean to largest"}


def test_rounds_without_an_audit_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that crosses rounds of which nothing is known has another ground there, also where an audit broke off."""
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    plot_series(
        {"client": [AuditedRound.of(replace(REPORT, round=number)) for number in (1, 2, 5)]}, tmp_path / "x.png"
    )
    (axes,) = drawn[0].axes
    (ground,) = axes.patches
    places = ground.get_extents().transformed(axes.transData.inverted())
    assert (places.x0, places.x1) == (pytest.approx(2.5), pytest.approx(4.5))


def test_before_the_first_audit_nothing_reads_as_no_leakage() -> None:
    """The gauges are NaN, for which an alert fires, and not 0. The time of the last audit is 0: long ago."""
    metrics = AuditMetrics()
    text = generate_latest(metrics.registry).decode()
    for name in ("leakage_max", "leakage_mean", "leaked_share", "round"):
        assert f"semsim_fl_{name} NaN" in text
    assert "semsim_fl_last_audit_time_seconds 0.0" in text
    metrics.observe(REPORT)
    metrics.observe(replace(REPORT, round=None))
    assert "semsim_fl_round NaN" in generate_latest(metrics.registry).decode()


def test_an_audit_that_broke_off_leaves_no_leakage_of_the_one_before() -> None:
    """It counts as one that could not tell, and no gauge keeps what was told before."""
    metrics = AuditMetrics()
    metrics.observe(REPORT)
    metrics.observe(None)
    text = generate_latest(metrics.registry).decode()
    assert 'semsim_fl_audits_total{verdict="could_not_tell"} 1.0' in text
    for name in ("leakage_max", "leakage_mean", "leaked_share", "round"):
        assert f"semsim_fl_{name} NaN" in text
