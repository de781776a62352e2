"""Write a report: ``report.json``, ``report.html`` and pictures."""

from collections.abc import Collection
from pathlib import Path

from semsim_training.faithfulness.figures import agreement_figure, correlation_figure, settings_figure
from semsim_training.faithfulness.judged import Pair
from semsim_training.faithfulness.report import FaithfulnessReport
from semsim_training.faithfulness.report_page import render
from semsim_training.faithfulness.sheet import draw_sheet


def publish(report: FaithfulnessReport, directory: Path, pairs: Collection[Pair] = ()) -> None:
    """Write the report into ``directory``, made if need be; with ``pairs``, the most contradictory ones are shown.

    Originals are private: without ``pairs`` nothing that is written holds an image.
    """
    pictures = {
        "agreement": agreement_figure(report),
        "settings": settings_figure(report),
        "correlation": correlation_figure(report),
    }
    if pairs:
        pictures["sheet"] = draw_sheet(report, pairs)
    directory.mkdir(parents=True, exist_ok=True)
    # One that an earlier run was asked for must not stay behind a report that shows no image.
    (directory / "sheet.png").unlink(missing_ok=True)
    for name, data in pictures.items():
        (directory / f"{name}.png").write_bytes(data)
    (directory / "report.json").write_text(report.model_dump_json(indent=1) + "\n")
    (directory / "report.html").write_text(render(report, pictures))
