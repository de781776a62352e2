"""The files that the clients and the server write of each audit: a series to plot, and the whole report."""

import json
from pathlib import Path

from semsim_federation import LeakageReport
from semsim_federation.series import append


def write_row(out: str, name: str, report: LeakageReport, *, sent: bool | None) -> None:
    """Append to ``NAME.parquet`` and ``NAME.jsonl`` in the folder ``out``; ``sent`` is None for a probe."""
    folder = Path(out) if out else Path.home() / "leakage"
    folder.mkdir(parents=True, exist_ok=True)
    append(folder / f"{name}.parquet", report)
    with (folder / f"{name}.jsonl").open("a") as file:
        file.write(json.dumps({"sent": sent} | report.values()) + "\n")
