"""What a metric is worth, where it can be counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from semsim.calibration import LogisticCalibration
from semsim_training.metric.held_out_evaluation import siblings_recognizable, strangers_auc, strangers_recognizable
from tests.training.metric.small import judged


def test_strangers_are_originals_of_another_class() -> None:
    """Of two classes at 0 and 1, each recognised reconstruction is compared with all pairs of different classes."""
    few = judged(originals=3, each=2)
    origins = tuple(replace(one, label="b" if one.image == "image-2" else "a") for one in few.origins)
    few = replace(few, origins=origins, recognised=np.array([3, 3, 3, 0, 0, 0]))
    embeddings = np.array([[0.0], [0.25], [1.0]])  # strangers: 1 and 0.75, each both ways
    assert strangers_auc(np.array([0.1, 0.8, 2.0, 0.0, 0.0, 0.0]), embeddings, few) == pytest.approx((4 + 2 + 0) / 12)
    steep = LogisticCalibration(slope=20, intercept=-18)  # a leakage of 0.5 at 0.9
    assert strangers_recognizable(embeddings, few, steep, 0.5) == pytest.approx(0.5)
    assert siblings_recognizable(embeddings, few, steep, 0.5) == 1
