"""The series of audits, its plot, and the metrics."""

from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from semsim.exceptions import InvalidDataset
from semsim_federation.audit_metrics import AuditMetrics
from semsim_federation.leakage_report import Attempt, ImageLeakage, LeakageReport, LeakageVerdict
from semsim_federation.series import append, plot_series, read_series

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
    assert second.leakage_max != second.leakage_max  # NaN, and never a low leakage
    assert [one.name for one in tmp_path.iterdir()] == ["series.parquet"]
    plot_series((first, second), tmp_path / "series.png")
    assert (tmp_path / "series.png").stat().st_size > 1000


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
    assert "client" not in text
