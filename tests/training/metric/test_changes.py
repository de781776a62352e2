"""Simple changes of originals."""

import numpy as np

from semsim.calibration import LogisticCalibration
from semsim_training.metric.changes import CHANGES, MIRRORED, called_recognised, changed_originals, copies_auc
from semsim_training.metric.metric_training import build_embedding_network
from tests.training.metric.small import judged, recipe
from tests.training.small import smooth_images


def test_every_change_is_measured_and_none_is_none() -> None:
    """A copy has the leakage of distance 0; any other change has less, or as much where it changes nothing."""
    network = build_embedding_network(recipe(), seed=0)
    originals = smooth_images(4, 32)
    calibration = LogisticCalibration(slope=5.0, intercept=-2.0)
    changed = {one.change: one for one in changed_originals(network, originals, calibration, threshold=0.8)}
    assert list(changed) == list(CHANGES)
    assert (changed["none"].leakage, changed["none"].recognizable) == (0.8808, 1.0)
    assert all(one.leakage < 0.8808 for one in changed.values() if one.change != "none")
    assert changed["noise, sigma 15"].leakage > changed["noise, sigma 120"].leakage
    again = changed_originals(network, originals, calibration, threshold=0.8)
    np.testing.assert_array_equal([one.leakage for one in again], [one.leakage for one in changed.values()])


def test_copies_are_compared_with_what_was_not_recognised() -> None:
    """Mild copies are nearer than reconstructions as far as can be, and farther than any at distance 0."""
    network, few = build_embedding_network(recipe(), seed=0), judged(originals=4)
    count = len(few)
    assert copies_auc(network, few, np.full(count, 3.0)) == 1
    assert copies_auc(network, few, np.zeros(count)) == 0
    only_recognised_move = np.where(few.judged.majority, 3.0, 0.0)
    assert copies_auc(network, few, only_recognised_move) == 0


def test_changed_copies_are_called_recognised_by_the_distances_of_reconstructions() -> None:
    """All are, where as many reconstructions as were recognised lie far off; none is, where all lie at nothing."""
    network, few = build_embedding_network(recipe(), seed=0), judged(originals=4)
    count = len(few)
    assert called_recognised(network, few, np.full(count, 3.0), MIRRORED) == 1
    assert called_recognised(network, few, np.zeros(count), MIRRORED) == 0
