"""The figures of models/semsim-default come out of the committed sets and judgements."""

import re

import numpy as np
import pytest

from semsim import Scorer
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.judged.sized_set import SizedSet
from semsim_training.metric.embedding_distances import majority_auc
from semsim_training.metric.metric_recipe import MetricTraining
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

CONFIG = ROOT / "configs" / "metric" / "default.yaml"


def test_the_default_reads_vision_models_alone_and_knows_every_set() -> None:
    """Its judgements are those of vision models; each committed set is in it, but for those of evaluation only."""
    sources = MetricTraining.read(CONFIG).judged
    assert sources.kind is AnnotatorKind.VISION_MODEL
    assert {source.annotations.name for source in sources.sets} == {"vision-models"}
    finished = {path.parent.name for path in (ROOT / "datasets").glob("*/dataset.json")}
    assert finished - set(sources.names) == {"cifar10-fresh", "cifar10-trained-generators"}
    kept, left_out = sources.finished(CONFIG.parent)
    assert {"cifar10", "cifar10-many", "caltech101", "caltech101-many", "caltech101-trained"} <= set(kept.names)
    assert set(left_out) == set(sources.names) - set(kept.names)
    assert set(left_out) >= set(sources.names) - finished


def test_the_pages_tell_the_threshold(bundled: Scorer) -> None:
    """README and docs/user.md have the bundled model's threshold, recall and precision in words."""
    manifest = bundled.manifest
    results = {one.metric.split(" at ")[0]: one.value for one in manifest.results if one.data.startswith("all")}
    recall, precision = (f"{100 * results[name]:.0f}" for name in ("recall", "precision"))
    for page in ("README.md", "docs/user.md"):
        (line,) = (text for text in (ROOT / page).read_text().split("\n\n") if "chosen to miss few" in text)
        assert f"{manifest.threshold:g}" in line
        assert f"finds {recall}" in line
        assert f"recognised {precision}" in line


@pytest.mark.usefixtures("data")
def test_the_figures_come_out_again(bundled: Scorer) -> None:
    """AUC, precision and recall over test originals, from the exported graph, are the manifest's and the card's."""
    manifest = bundled.manifest
    assert manifest.threshold is not None
    card = (ROOT / "models" / manifest.name / "README.md").read_text()
    learned = re.findall(r"^\| `([\w-]+)` \|", card, re.MULTILINE)
    judged = MetricTraining.read(CONFIG).judged.named(learned).read(CONFIG.parent).of_splits(["test"])
    test = SizedSet.of(judged, manifest.input.height)
    used, places = np.unique(test.original_of, return_inverse=True)
    originals = bundled.embed(list(test.originals[used]))[places]
    distances = np.linalg.norm(originals.astype(np.float64) - bundled.embed(list(test.reconstructions)), axis=1)
    rows_of_card = [
        [float(figure) for figure in row]
        for row in re.findall(r"^\| semsim \| ([\d.]+) \(([\d.]+) to ([\d.]+)\)", card, re.MULTILINE)
    ]
    results = {(one.metric.split(" at ")[0], one.data.split(",")[0]): one for one in manifest.results}
    for dataset in ("all", *judged.values(lambda row: row.dataset)):
        rows = np.ones(len(test), dtype=bool) if dataset == "all" else judged.where(lambda row: row.dataset, dataset)
        stated = results["AUC", dataset]
        assert stated.items == rows.sum()
        assert majority_auc(judged.take(rows), distances[rows]) == pytest.approx(stated.value, abs=0.003)
        assert any(row == pytest.approx([stated.value, stated.low, stated.high], abs=6e-4) for row in rows_of_card)
    assert manifest.calibration is not None
    called = manifest.calibration.leakage(distances) >= manifest.threshold
    assert judged.majority[called].mean() == pytest.approx(results["precision", "all"].value, abs=0.01)
    assert called[judged.majority].mean() == pytest.approx(results["recall", "all"].value, abs=0.01)
    assert "**Judged by vision models.** No person has judged" in card
