"""`semsim faithfulness`, on a table of judgements and on a set."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from semsim.exceptions import InvalidOption
from semsim_training.annotation.judgements import AnnotatorKind, append
from semsim_training.faithfulness.report import FaithfulnessReport
from semsim_training.faithfulness.values import ALWAYS
from semsim_training.judged.pair import pairs_of
from semsim_training.subcommands.faithfulness_command import app
from tests.training.faithfulness.studies import made_up
from tests.training.judged.made_up import judgements_of, made_up_set

pytestmark = pytest.mark.slow

PICTURES = {"agreement.png", "settings.png", "correlation.png"}


def run(*arguments: Any) -> str:
    """Run the command and give what it prints; its errors are raised."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The made-up study as a table."""
    study = made_up()
    lines = ["setting,image_id,true_label,annotator_1,annotator_2,annotator_3,annotator_4,annotator_5,psnr,mse,guess"]
    for row, item in enumerate(study.judged.items):
        recognised = int(study.judged.recognised[row])
        cells = ["cat"] * recognised + ["-1"] * (5 - recognised)
        values = [metric.values[row] for metric in study.metrics]
        lines.append(",".join(map(str, (study.judged.settings[row], item, "cat", *cells, *values))))
    path = tmp_path / "judgements.csv"
    path.write_text("\n".join(lines))
    return path


def test_judgements_become_a_report(table: Path, tmp_path: Path) -> None:
    """It writes JSON, one HTML file that loads nothing and names who judged, pictures, and a table in a page."""
    out, page = tmp_path / "out", tmp_path / "page.md"
    page.write_text("<!-- <b>x -->\nold\n<!-- <b>x -->\n")
    printed = run(
        "judgements", table, "--kind", "person", "--out", out, "--direction", "guess=up", "--draws", 100,
        "--name", "<b>x", "--source", "made up", "--write", page,
    )  # fmt: skip
    assert "judged by people" in printed
    assert re.search(r"^guess +0\.\d{3} \[", printed, re.MULTILINE)
    report = FaithfulnessReport.read(out / "report.json")
    assert (report.name, report.source, report.images) == ("<b>x", "made up", 120)
    html = (out / "report.html").read_text()
    assert "Which metrics agree with people? &lt;b&gt;x" in html
    assert not re.search(r'(src|href)="(?!data:image/png;base64,)', html)
    assert {path.name for path in out.iterdir()} == {"report.json", "report.html", *PICTURES}
    assert "| guess |" in page.read_text()
    assert "old" not in page.read_text()


def test_a_seed_makes_the_same_bytes(table: Path, tmp_path: Path) -> None:
    """Two runs write the same files, pictures included; --json prints report.json."""
    for name in ("one", "two"):
        printed = run("judgements", table, "--kind", "person", "--out", tmp_path / name, "--draws", 100, "--json")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert json.loads(printed[printed.index("{") :]) == json.loads((tmp_path / "one" / "report.json").read_text())
    assert "not used: the columns guess" in printed


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of eight reconstructions in each of three settings, and the judgements of two vision models beside it."""
    directory, made_up = tmp_path_factory.mktemp("judged"), made_up_set(originals=8, settings=3)
    made_up.write(directory / "set")
    pairs = pairs_of(made_up)
    recognised = [2 if place % 8 < 4 else 1 for place in range(len(pairs))]
    append(directory / "annotations", judgements_of(pairs, recognised, annotators=2, kind=AnnotatorKind.VISION_MODEL))
    return directory


def test_a_set_becomes_a_report_without_images(judged: Path, small_artifact: Path, tmp_path: Path) -> None:
    """Originals are written where --images asks; without, none stays. Metrics are computed, FID warns of its rank."""
    given = ["set", judged / "set", "--judgements", judged / "annotations", "--kind", "vision_model", "--draws", 100]
    out = tmp_path / "out"
    run(*given, "--out", out, "--images")
    assert (out / "sheet.png").exists()
    assert "Originals are private" in (out / "report.html").read_text()
    printed = run(*given, "--out", out, "--artifact", f"small={small_artifact}", "--fid", small_artifact)
    assert "3 of 3 settings have no more images than the 12 dimensions" in printed
    assert "judged by 2 vision models" in printed
    report = FaithfulnessReport.read(out / "report.json")
    assert [metric.name for metric in report.metrics] == [*ALWAYS, "small"]
    assert report.fid is not None
    assert "FID by setting" in (out / "report.html").read_text()
    assert {path.name for path in out.iterdir()} == {"report.json", "report.html", *PICTURES}
    assert "Images are not shown here" in (out / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kind", "human"], "expected --kind person, vision_model, classifier, got human"),
        (["--kind", "person", "--split", "dev"], "expected --split train, validation, test, got dev"),
        (["--kind", "person", "--artifact", "here"], "expected --artifact NAME=DIR .* got here"),
        (["--kind", "person", "--lpips-0-1"], "expected --lpips with --lpips-0-1"),
        (["--kind", "person", "--direction", "x"], "expected --direction NAME=up or NAME=down, got x"),
    ],
)
def test_options_that_will_not_do_are_refused(arguments: list[str], message: str, judged: Path, tmp_path: Path) -> None:
    """The error names the option, before any work."""
    with pytest.raises(InvalidOption, match=message):
        run("set", judged / "set", "--judgements", judged / "annotations", "--out", tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()
