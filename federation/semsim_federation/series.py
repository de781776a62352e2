"""Audits round by round: one row each in a Parquet file."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np

from semsim.exceptions import InvalidDataset
from semsim_federation.leakage_report import LeakageReport, LeakageVerdict


@dataclass(frozen=True, slots=True)
class AuditedRound:
    """One audit in a series. It holds no image, and names no client."""

    round: int
    verdict: str
    batch: int
    leakage_mean: float
    """The mean leakage of the images of which something can be told; NaN where of none."""
    leakage_max: float
    share_leaked: float
    """The share of images that leaked; NaN where the verdict is ``could_not_tell``."""
    explained: float
    """The largest share of the update that an attack explained, as matched or partly matched; NaN where none did."""
    controls: int
    luck: float
    seconds: float
    defense: str
    model: str
    semsim: str
    torch: str

    @classmethod
    def of(cls, report: LeakageReport) -> Self:
        """The row of a report; a report without a round has the round -1."""
        leakages = report.leakages or (float("nan"),)
        shares = [one.explained for one in report.attempts if one.explains and one.explained is not None]
        return cls(
            round=-1 if report.round is None else report.round,
            verdict=str(report.verdict),
            batch=report.batch,
            leakage_mean=float(np.mean(leakages)),
            leakage_max=float(np.max(leakages)),
            share_leaked=told_share(report),
            explained=max(shares, default=float("nan")),
            controls=report.controls,
            luck=report.luck,
            seconds=report.seconds,
            defense=report.defense,
            model=report.model,
            semsim=report.versions["semsim"],
            torch=report.versions["torch"],
        )


def told_share(report: LeakageReport) -> float:
    """The share of images that leaked, in [0, 1]; NaN where the audit could not tell: 0 would say that none did."""
    return float("nan") if report.verdict is LeakageVerdict.COULD_NOT_TELL else report.share


def append(path: Path, report: LeakageReport) -> None:
    """Append a report's row; a reader sees the file before or after it, and never a part. One process writes.

    Raises:
        InvalidDataset: the file is no series.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [*(read_series(path) if path.exists() else ()), AuditedRound.of(report)]
    handle, scratch = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        pq.write_table(pa.Table.from_pylist([asdict(row) for row in rows]), scratch)
        Path(scratch).replace(path)
    finally:
        Path(scratch).unlink(missing_ok=True)


def read_series(path: Path) -> tuple[AuditedRound, ...]:
    """The rows of a series in the order in which they were written.

    Raises:
        InvalidDataset: the file is no series.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [field.name for field in fields(AuditedRound)]
    try:
        rows = pq.read_table(path).select(names).to_pylist()
    except (OSError, KeyError, pa.ArrowException) as error:
        raise InvalidDataset(f"expected a series of audits, Parquet, at {path}, got {type(error).__name__}") from error
    return tuple(AuditedRound(**row) for row in rows)


def plot_series(rows: Sequence[AuditedRound], out: Path) -> None:
    """Draw the leakage, the share of leaked images and what could not be told, by round.

    Raises:
        InvalidDataset: there is no row.
    """
    if not rows:
        raise InvalidDataset("expected a series of at least one audit, got none")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    rounds = [row.round for row in rows]
    axes.plot(rounds, [row.leakage_max for row in rows], "o-", label="largest leakage", color="#c44")
    axes.plot(rounds, [row.leakage_mean for row in rows], "o-", label="mean leakage", color="#48c")
    axes.step(rounds, [row.share_leaked for row in rows], where="mid", label="share of images leaked", color="#333")
    doubtful = [row.round for row in rows if row.verdict == LeakageVerdict.COULD_NOT_TELL]
    # Lines over the whole height, because a mark at a height would read as a leakage.
    whole = axes.get_xaxis_transform()
    axes.vlines(doubtful, 0, 1, transform=whole, color="#888", linestyles="dotted", label="could not tell")
    axes.set(xlabel="round", ylim=(-0.03, 1.03), title="Audited rounds: not shown to leak is not safe")
    axes.legend()
    figure.savefig(out, dpi=150)
