"""The report on uninformative pairs measures the sets that the bundled model is of."""

from semsim_training import uninformative_report
from semsim_training.metric.metric_recipe import MetricTraining
from tests.conftest import ROOT


def test_all_judged_sets_are_measured() -> None:
    """The sets of the report are those of the bundled model's configuration."""
    training = MetricTraining.read(ROOT / "configs" / "metric" / "default.yaml")
    assert [source.dataset.name for source in training.judged.sets] == list(uninformative_report.JUDGED)
