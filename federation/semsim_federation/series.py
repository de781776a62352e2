"""Audits round by round: one row each in a Parquet file."""

import os
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np

from semsim.exceptions import InvalidDataset
from semsim_federation.leakage_report import LeakageReport, LeakageVerdict

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class AuditedRound:
    """One audit in a series. It holds no image, and names no client."""

    round: int
    verdict: str
    batch: int
    leakage_mean: float
    """The mean leakage of the images of which something can be told; NaN where of none, as where the verdict is
    ``could_not_tell``."""
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
    control_mean: float = _NAN
    """The mean leakage of the controls, each beside the reconstruction that is most like it; NaN without one, and in
    series of releases that did not write it."""
    control_max: float = _NAN
    """The largest leakage of a control, in the same way."""
    sent: bool | None = None
    """True where the update was sent, defended or not; False where it was blocked; None where nothing was to be sent,
    such as by a probe."""

    @classmethod
    def of(cls, report: LeakageReport, sent: bool | None = None) -> Self:
        """The row of a report; a report without a round has the round -1."""
        leakages = report.leakages or (_NAN,)
        shares = [one.explained for one in report.attempts if one.explains and one.explained is not None]
        return cls(
            round=-1 if report.round is None else report.round,
            verdict=str(report.verdict),
            batch=report.batch,
            leakage_mean=float(np.mean(leakages)),
            leakage_max=float(np.max(leakages)),
            share_leaked=told_share(report),
            explained=max(shares, default=_NAN),
            controls=report.controls,
            luck=report.luck,
            seconds=report.seconds,
            defense=report.defense,
            model=report.model,
            semsim=report.versions["semsim"],
            torch=report.versions["torch"],
            control_mean=_NAN if report.control_mean is None else report.control_mean,
            control_max=_NAN if report.control_max is None else report.control_max,
            sent=sent,
        )


def told_share(report: LeakageReport) -> float:
    """The share of images that leaked, in [0, 1]; NaN where the audit could not tell: 0 would say that none did."""
    return _NAN if report.verdict is LeakageVerdict.COULD_NOT_TELL else report.share


def append(path: Path | str, report: LeakageReport, sent: bool | None = None) -> None:
    """Append a report's row; a reader sees the file before or after it, and never a part. One process writes.

    Args:
        path: the Parquet file, which is made where there is none.
        report: the audit.
        sent: whether the update was sent; None where nothing was to be sent, such as by a probe.

    Raises:
        InvalidDataset: the file is no series.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    rows = [*(read_series(path) if path.exists() else ()), AuditedRound.of(report, sent)]
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
        table = pq.read_table(path)
        rows = table.select([name for name in names if name in table.column_names]).to_pylist()
        return tuple(AuditedRound(**row) for row in rows)
    except (OSError, TypeError, pa.ArrowException) as error:
        raise InvalidDataset(f"expected a series of audits, Parquet, at {path}, got {type(error).__name__}") from error
