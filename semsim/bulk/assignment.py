"""The one-to-one pairing of embeddings with the least total distance, from few of all pairs, and the proof of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semsim.bulk.blocked_distances import EmbeddingDistances
from semsim.bulk.left_out_pairs import LeftOutPairs
from semsim.bulk.sparse_assignment import CandidatePairs

_NEAREST = 16
"""The candidates of each embedding, from either side."""
_MOST = 300
"""The candidates an embedding at which the search ends without a proof: 3 million for 10,000 take 300 MB."""
_STEPS = 2**24
"""The steps into which the longest distance is divided, so that costs are whole numbers."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A one-to-one pairing of all embeddings of the smaller side."""

    pairs: list[tuple[int, int]]
    """The indices of both sides, in the order of the left one."""
    excess: float
    """The share of the total distance by which another pairing may be shorter; 0 where it is proved to be the least."""


def assign(left: NDArray[np.float32], right: NDArray[np.float32], *, most: int = _MOST) -> Assignment:
    """Pair embeddings ``(N, D)`` and ``(M, D)`` one to one with the least total distance; for batches in unknown order.

    It pairs among the nearest of each, and asks the prices of that pairing whether a pair that was left out could
    make the total smaller. Such pairs become candidates, until there are none: then the pairing is the least of all
    (column generation; Volgenant, 1996, does so for the assignment problem). Distances count in steps of 2^-24 of the
    longest, which bounds the error of each. With more candidates than ``most`` an embedding it ends without a proof.

    Raises:
        MissingExtra: scipy is not installed.
    """
    if len(left) > len(right):
        other = assign(right, left, most=most)
        return Assignment(sorted((row, column) for column, row in other.pairs), other.excess)
    distances = EmbeddingDistances(left, right)
    step = np.float64(distances.longest / _STEPS or 1.0)
    near, beyond = distances.nearest(_NEAREST)
    near_of_right, _ = EmbeddingDistances(right, left).nearest(_NEAREST)
    rows = np.concatenate([_numbers(near), near_of_right.ravel()])
    columns = np.concatenate([near.ravel(), _numbers(near_of_right)])
    candidates = _with(CandidatePairs((len(left), len(right)), *_none()), distances, step, rows, columns)
    partners, prices = candidates.greedy(), np.zeros(len(right), np.int64)
    candidates = _with(candidates, distances, step, np.arange(len(left)), partners)
    left_out = LeftOutPairs(distances, beyond)
    while True:
        partners = candidates.cheapest(partners, prices)
        of_rows, prices = candidates.prices(partners)
        total = step * float(of_rows.sum() + prices.sum())
        rows, columns, saved = left_out.short(candidates, of_rows * step, prices * step, 2.0 * step)
        if not len(rows) or len(candidates.rows) + len(rows) > most * len(right):
            return Assignment(list(enumerate(partners.tolist())), min(saved / total, 1.0) if len(rows) else 0.0)
        candidates = _with(candidates, distances, step, rows, columns)


def _with(
    candidates: CandidatePairs,
    distances: EmbeddingDistances,
    step: float,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
) -> CandidatePairs:
    """The candidates with more pairs, each once."""
    before = candidates.rows * candidates.shape[1] + candidates.columns
    new = np.unique(rows * candidates.shape[1] + columns)
    new = new[~np.isin(new, before, assume_unique=True)]
    at = np.searchsorted(before, new)
    rows, columns = np.divmod(new, candidates.shape[1])
    costs = np.rint(distances.of_pairs(rows, columns) / step).astype(np.int64)
    return CandidatePairs(
        candidates.shape,
        np.insert(candidates.rows, at, rows),
        np.insert(candidates.columns, at, columns),
        np.insert(candidates.costs, at, costs),
    )


def _numbers(indices: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.repeat(np.arange(len(indices)), indices.shape[1])


def _none() -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int64]]:
    return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.int64)
