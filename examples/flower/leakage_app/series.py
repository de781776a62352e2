"""The rows that the clients and the server write: what was audited, and whether it was sent."""

import json
from pathlib import Path

from semsim_federation import LeakageReport


def write_row(out: str, name: str, report: LeakageReport, *, sent: bool | None) -> None:
    """Append a report to ``NAME.jsonl`` in the folder ``out``; ``sent`` is None for a probe, which sends nothing."""
    folder = Path(out) if out else Path.home() / "leakage"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.jsonl").open("a") as file:
        file.write(json.dumps({"sent": sent} | report.values()) + "\n")
