"""models/semsim-default: what its manifest and its card say comes out of the committed sets and judgements."""

import numpy as np
import pytest

from semsim import Scorer
from semsim_training.metric.judged import JudgedReconstructions
from semsim_training.metric.metric_recipe import MetricTraining
from semsim_training.metric.metric_training import auc
from tests.conftest import ROOT

CONFIG = ROOT / "configs" / "metric" / "default.yaml"


def test_the_figures_come_out_again(bundled: Scorer) -> None:
    """AUC, precision and recall over test originals, from the exported graph, are the manifest's and the card's."""
    manifest, judged = bundled.manifest, MetricTraining.read(CONFIG).judged
    assert manifest.threshold is not None
    everything = JudgedReconstructions.load(judged, CONFIG.parent, manifest.input.height)
    test = everything.take(everything.where(split=["test"]))
    used, places = np.unique(test.original_of, return_inverse=True)
    originals = bundled.embed(list(test.originals[used]))[places]
    distances = np.linalg.norm(originals.astype(np.float64) - bundled.embed(list(test.reconstructions)), axis=1)
    results = {(one.metric.split(" at ")[0], one.data.split(",")[0]): one for one in manifest.results}
    card = (ROOT / "models" / manifest.name / "README.md").read_text()
    for dataset in ("all", *test.values("dataset")):
        rows = np.ones(len(test), dtype=bool) if dataset == "all" else test.where(dataset=[dataset])
        stated = results["AUC", dataset]
        assert stated.items == rows.sum()
        assert auc(test.take(rows), distances[rows]) == pytest.approx(stated.value, abs=0.003)
        assert f"| semsim | {stated.value:.3f} ({stated.low:.3f} to {stated.high:.3f})" in card
    assert manifest.calibration is not None
    called = manifest.calibration.leakage(distances) >= manifest.threshold
    assert test.majority[called].mean() == pytest.approx(results["precision", "all"].value, abs=0.01)
    assert called[test.majority].mean() == pytest.approx(results["recall", "all"].value, abs=0.01)
    assert "**Judged by classifiers.** No person has judged" in card
