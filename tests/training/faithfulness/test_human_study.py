"""The paper's human study: an independent computation, and the committed report."""

import csv
from pathlib import Path
from statistics import fmean

import pytest

from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.faithfulness.evaluate import evaluate
from semsim_training.faithfulness.judgement_table import read_judgement_table
from semsim_training.faithfulness.metric_agreement import Statistic
from semsim_training.faithfulness.report import FaithfulnessReport
from semsim_training.faithfulness.tables import markdown
from tests.conftest import ROOT
from tests.training.faithfulness import studies

pytestmark = pytest.mark.slow

SIGNS = {"mse": -1, "ssim": 1, "psnr": 1, "lpips": -1, "dreamsim": -1, "semsim": -1}
COMMITTED = ROOT / "docs" / "faithfulness" / "human-study" / "report.json"


@pytest.fixture(scope="module")
def table(data: Path) -> Path:
    """The judgements of five people on 4,200 reconstructions."""
    return data / "human_study" / "cifar100_resnet20.csv"


@pytest.fixture(scope="module")
def report(table: Path) -> FaithfulnessReport:
    """The report on them, as `make faithfulness` makes it."""
    committed = FaithfulnessReport.read(COMMITTED)
    study = read_judgement_table(table, AnnotatorKind.PERSON, name="human-study").study
    return evaluate(study, draws=committed.draws, seed=committed.seed, source=committed.source)


@pytest.fixture(scope="module")
def rows(table: Path) -> list[dict[str, str]]:
    """The rows of the table, read plainly."""
    with table.open() as file:
        return list(csv.DictReader(file))


def right(row: dict[str, str]) -> int:
    """The number of the five people who named the class."""
    return sum(row[f"annotator_{number}"] == row["true_label"] for number in range(1, 6))


@pytest.mark.parametrize("metric", SIGNS)
def test_figures_are_those_of_an_independent_computation(
    metric: str, report: FaithfulnessReport, rows: list[dict[str, str]]
) -> None:
    """Plain Python gives the same correlations of settings and of images, and the same AUCs, to 1e-9."""
    leakage = [SIGNS[metric] * float(row[metric]) for row in rows]
    counts = [right(row) for row in rows]
    settings = sorted({row["setting"] for row in rows})
    places_of = [[place for place, row in enumerate(rows) if row["setting"] == setting] for setting in settings]
    means = [fmean(leakage[place] for place in places) for places in places_of]
    # Whole numbers: two settings with as many right judgements must tie.
    shares = [float(sum(counts[place] for place in places)) for places in places_of]
    expected = {
        Statistic.SETTING_SPEARMAN: studies.spearman(means, shares),
        Statistic.SETTING_KENDALL: studies.kendall(means, shares),
        Statistic.SETTING_PEARSON: studies.pearson(means, shares),
        Statistic.IMAGE_SPEARMAN: studies.spearman(leakage, [float(count) for count in counts]),
        Statistic.AUC: studies.auc(
            [value for value, count in zip(leakage, counts, strict=True) if count >= 3],
            [value for value, count in zip(leakage, counts, strict=True) if count < 3],
        ),
        Statistic.JUDGEMENT_AUC: studies.auc(
            [value for value, count in zip(leakage, counts, strict=True) for _ in range(count)],
            [value for value, count in zip(leakage, counts, strict=True) for _ in range(5 - count)],
        ),
    }
    assert {one: report.figure(metric, one).value for one in Statistic} == pytest.approx(expected, abs=1e-9)


def test_judgements_are_counted(report: FaithfulnessReport, rows: list[dict[str, str]]) -> None:
    """4,200 reconstructions, seven settings of 600, and the shares that counting gives."""
    assert (report.images, report.judgements, report.originals) == (4200, 21000, 600)
    assert [setting.images for setting in report.settings] == [600] * 7
    assert report.recognised_judgements == pytest.approx(sum(map(right, rows)) / 21000)
    assert report.recognised_majority == pytest.approx(sum(right(row) >= 3 for row in rows) / 4200)


def test_the_committed_report_is_current(report: FaithfulnessReport) -> None:
    """docs/ holds these figures and intervals, and the page holds the table."""
    committed = FaithfulnessReport.read(COMMITTED)
    assert flat(committed.model_dump(exclude={"versions"})) == pytest.approx(
        flat(report.model_dump(exclude={"versions"})), abs=1e-9
    )
    assert markdown(report) in (ROOT / "docs" / "faithfulness.md").read_text()


def flat(value: object, path: str = "") -> dict[str, object]:
    """The leaves of nested records, by path."""
    if isinstance(value, dict):
        return {key: leaf for name, part in value.items() for key, leaf in flat(part, f"{path}.{name}").items()}
    if isinstance(value, tuple | list):
        return {key: leaf for place, part in enumerate(value) for key, leaf in flat(part, f"{path}[{place}]").items()}
    return {path: value}
