"""Writes a report: ``report.json``, ``report.html`` and pictures."""

from pathlib import Path

from semsim_training.faithfulness.figures import agreement_figure, correlation_figure, settings_figure
from semsim_training.faithfulness.report import FaithfulnessReport
from semsim_training.faithfulness.report_page import render
from semsim_training.faithfulness.sheet import draw_contradictions
from semsim_training.judged.judged_set import JudgedSet


def publish(report: FaithfulnessReport, directory: Path, shown: JudgedSet | None = None) -> None:
    """Write the report into ``directory``, made if need be.

    Originals are private: nothing that is written holds an image, unless ``shown``, the judged set of the report, is
    given. Then a sheet shows its most contradictory images.
    """
    pictures = {
        "agreement": agreement_figure(report),
        "settings": settings_figure(report),
        "correlation": correlation_figure(report),
    }
    if shown is not None:
        pictures["sheet"] = draw_contradictions(report, shown)
    directory.mkdir(parents=True, exist_ok=True)
    # A sheet that an earlier run was asked for must not stay behind a report that shows no image.
    (directory / "sheet.png").unlink(missing_ok=True)
    for name, data in pictures.items():
        (directory / f"{name}.png").write_bytes(data)
    (directory / "report.json").write_text(report.model_dump_json(indent=1) + "\n")
    (directory / "report.html").write_text(render(report, pictures))
