"""Pairs of different originals. No attack makes one, but a metric that compares must tell it apart from a leak."""

import numpy as np

from semsim.calibration import Calibration
from semsim_training.judged.sized_set import SizedSet
from semsim_training.statistics.intervals import Floats
from semsim_training.statistics.ranks import Ranking, auc


def strangers_recognizable(embeddings: Floats, sized: SizedSet, calibration: Calibration, threshold: float) -> float:
    """The share of pairs of originals of different classes that would be called recognizable: nearly none should.

    ``embeddings`` ``(M, D)`` are those of all originals.
    """
    return float((calibration.leakage(_between_originals(embeddings, sized, alike=False)) >= threshold).mean())


def siblings_recognizable(embeddings: Floats, sized: SizedSet, calibration: Calibration, threshold: float) -> float:
    """The share of pairs of different originals of one class that would be called recognizable.

    Annotators give both the same name. ``embeddings`` ``(M, D)`` are those of all originals.
    """
    return float((calibration.leakage(_between_originals(embeddings, sized, alike=True)) >= threshold).mean())


def strangers_auc(distances: Floats, embeddings: Floats, sized: SizedSet) -> float:
    """The chance that a reconstruction that the majority recognised is nearer to its original than a stranger is.

    A stranger is an original of another class. The AUC over reconstructions alone cannot see whether a metric compares
    images or only tells noise from photographs. NaN without recognised ones or strangers.

    Args:
        distances: the distances of the reconstructions from their originals, ``(N,)``.
        embeddings: the embeddings of all originals, ``(M, D)``.
        sized: the N reconstructions and M originals.
    """
    majority = sized.judged.majority
    values = np.concatenate([distances[majority], _between_originals(embeddings, sized, alike=False)])
    recognised = (np.arange(len(values)) < majority.sum())[None].astype(np.float64)
    return float(auc(Ranking.of(-values), recognised, 1 - recognised)[0])


def _between_originals(embeddings: Floats, sized: SizedSet, *, alike: bool) -> Floats:
    """The distances of all pairs of originals of one class (``alike``), or of different ones."""
    used = np.unique(sized.original_of)
    labels, vectors = sized.labels[used], embeddings[used]
    first, second = np.nonzero(((labels[:, None] == labels[None]) == alike) & ~np.eye(len(labels), dtype=bool))
    gaps: Floats = np.linalg.norm(vectors[first] - vectors[second], axis=1)
    return gaps
