"""The files that the clients and the server write of each audit: a series and a gallery to look at, and the report."""

import json
from pathlib import Path

import numpy as np
from flwr.app import Context
from numpy.typing import NDArray

from semsim_federation import LeakageReport
from semsim_federation.audit_gallery import append_gallery
from semsim_federation.series import append


def write_row(
    ctx: Context, name: str, report: LeakageReport, originals: NDArray[np.uint8], *, sent: bool | None
) -> None:
    """Append to ``NAME.parquet``, ``NAME.png`` and ``NAME.jsonl`` in the folder ``out``; ``sent`` is None for a probe.

    The picture shows reconstructions, and originals where the configuration asks for them.
    """
    out = str(ctx.run_config["out"])
    folder = Path(out) if out else Path.home() / "leakage"
    folder.mkdir(parents=True, exist_ok=True)
    append(folder / f"{name}.parquet", report, sent)
    append_gallery(folder / f"{name}.png", report, sent, originals=originals if ctx.run_config["originals"] else None)
    with (folder / f"{name}.jsonl").open("a") as file:
        file.write(json.dumps({"sent": sent} | report.values()) + "\n")
