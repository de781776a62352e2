"""The agreement of distances with the majority of annotators."""

import numpy as np
import pytest

from semsim.exceptions import InvalidCheckpoint
from semsim_training.metric.embedding_distances import majority_auc
from tests.training.metric.small import judged


def test_a_network_that_diverged_has_no_auc() -> None:
    """A distance that is not a number is refused: ranked, it would give an AUC that depends on the order of rows."""
    reconstructions = judged().judged
    distances = np.linspace(0.0, 1.0, len(reconstructions))
    assert 0 <= majority_auc(reconstructions, distances) <= 1
    distances[0] = np.nan
    with pytest.raises(InvalidCheckpoint, match="1 that are not numbers"):
        majority_auc(reconstructions, distances)
