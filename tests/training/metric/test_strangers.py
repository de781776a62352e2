"""Pairs of different originals, counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from semsim.calibration import LogisticCalibration
from semsim_training.metric.strangers import siblings_recognizable, strangers_auc, strangers_recognizable
from tests.training.metric.small import judged, with_recognised, with_rows


def test_strangers_are_originals_of_another_class() -> None:
    """Each recognised reconstruction is compared with all pairs of originals of different classes."""
    few = with_recognised(judged(originals=3, each=2), np.array([3, 3, 3, 0, 0, 0]))
    few = with_rows(few, lambda row: replace(row, class_name="b" if row.image == "image-02.png" else "a"))
    embeddings = np.array([[0.0], [0.25], [1.0]])  # strangers: 1 and 0.75, each both ways
    assert strangers_auc(np.array([0.1, 0.8, 2.0, 0.0, 0.0, 0.0]), embeddings, few) == pytest.approx((4 + 2 + 0) / 12)
    steep = LogisticCalibration(slope=20, intercept=-18)  # a leakage of 0.5 at 0.9
    assert strangers_recognizable(embeddings, few, steep, 0.5) == pytest.approx(0.5)
    assert siblings_recognizable(embeddings, few, steep, 0.5) == 1
