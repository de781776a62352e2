"""The distances of the controls to reconstructions as histograms, for callers who ask for them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from semsim.chance import ControlEmbeddings
from semsim.scorer import PairScore

HISTOGRAM_BINS = 24


@dataclass(frozen=True, slots=True)
class DistanceHistogram:
    """The distances of controls to one reconstruction, in bins of one width from 0 on."""

    edges: list[float]
    """The 25 edges of the bins; the last is the largest distance, of a control or of the original."""
    counts: list[int]
    """The number of controls in each bin."""


@dataclass(frozen=True, slots=True)
class ScoreBesideControls(PairScore):
    """The numbers of a pair, and how far the controls are from its reconstruction."""

    histogram: DistanceHistogram | None = None
    """None where the pair has no chance."""


def beside_controls(
    controls: ControlEmbeddings | None,
    embeddings: NDArray[np.float32],
    originals: NDArray[np.intp],
    reconstructions: NDArray[np.intp],
    scores: Sequence[PairScore],
) -> list[PairScore]:
    """The scores of N pairs with histograms. ``embeddings`` ``(U, D)`` are those of the pairs' images.

    ``originals`` and ``reconstructions`` are the rows ``(N,)`` of each pair's images.
    """
    distances: Sequence[NDArray[np.float64] | None] = [None] * len(scores)
    if controls is not None:  # one product for all pairs
        distances = controls.distances(embeddings, originals, reconstructions)
    return [
        ScoreBesideControls(
            **asdict(score),
            histogram=None if beside is None or score.chance is None else _histogram(beside, score.distance),
        )
        for score, beside in zip(scores, distances, strict=True)
    ]


def _histogram(distances: NDArray[np.float64], distance: float) -> DistanceHistogram:
    counts, edges = np.histogram(distances, HISTOGRAM_BINS, (0.0, max(float(distances.max()), distance)))
    return DistanceHistogram(edges.tolist(), counts.tolist())
