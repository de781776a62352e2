"""The one-to-one pairing of embeddings with the least total distance, from few of all pairs, and the proof of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semsim.bulk.blocked_distances import EmbeddingDistances, blocks
from semsim.bulk.sparse_assignment import CandidatePairs

_NEAREST = 32
"""The candidates of each embedding, from either side."""
_ADDED = 64
"""The candidates at most that an embedding gets in a round."""
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
    step = distances.longest / _STEPS or 1.0
    near, beyond = distances.nearest(_NEAREST)
    near_of_right, _ = EmbeddingDistances(right, left).nearest(_NEAREST)
    rows = np.concatenate([_numbers(near), near_of_right.ravel()])
    columns = np.concatenate([near.ravel(), _numbers(near_of_right)])
    candidates = _with(CandidatePairs((len(left), len(right)), *_none()), distances, step, rows, columns)
    partners = candidates.greedy()
    candidates = _with(candidates, distances, step, np.arange(len(left)), partners)
    while True:
        partners = candidates.cheapest(partners)
        of_rows, of_columns = (side * np.float64(step) for side in candidates.prices(partners))
        rows, columns, excess = _left_out(distances, of_rows, of_columns, beyond, 2.0 * step)
        if not len(rows) or len(candidates.rows) + len(rows) > most * len(right):
            total = float(of_rows.sum() + of_columns[partners].sum())
            return Assignment(list(enumerate(partners.tolist())), min(excess / total, 1.0) if len(rows) else 0.0)
        candidates = _with(candidates, distances, step, rows, columns)


def _left_out(
    distances: EmbeddingDistances,
    of_rows: NDArray[np.float64],
    of_columns: NDArray[np.float64],
    beyond: NDArray[np.float64],
    tolerance: float,
) -> tuple[NDArray[np.intp], NDArray[np.intp], float]:
    """The pairs, as rows and columns, that are shorter than their prices together, and a bound on the gain by them.

    All pairs of a row that are no candidates are longer than ``beyond``, and no column has a price above 0: a row whose
    own price is not above ``beyond`` needs no look at its pairs.
    """
    rows, columns, gain = [np.empty(0, np.intp)], [np.empty(0, np.intp)], 0.0
    asked = np.flatnonzero(of_rows > beyond)
    asked = asked[np.argsort((of_rows - beyond)[asked])]  # so that a block asks for few columns
    for some in blocks(asked, len(of_columns)):
        others = np.flatnonzero(of_columns > (beyond - of_rows)[some].min())
        slack = distances.block(some, others)
        slack -= of_rows[some][:, None]
        slack -= of_columns[others]
        gain -= float(np.minimum(slack.min(axis=1), 0.0).sum())
        count = min(_ADDED, len(others))
        least = np.argpartition(slack, count - 1, axis=1)[:, :count]
        is_short = np.take_along_axis(slack, least, axis=1) < -tolerance
        rows.append(np.repeat(some, is_short.sum(axis=1)))
        columns.append(others[least[is_short]])
    return np.concatenate(rows), np.concatenate(columns), gain


def _with(
    candidates: CandidatePairs,
    distances: EmbeddingDistances,
    step: float,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
) -> CandidatePairs:
    """The candidates with more pairs, each once."""
    width = candidates.shape[1]
    before = candidates.rows * width + candidates.columns
    new = np.setdiff1d(rows * width + columns, before)
    rows, columns = np.divmod(new, width)
    costs = np.rint(distances.of_pairs(rows, columns) / step).astype(np.int64)
    return CandidatePairs(
        candidates.shape,
        np.concatenate([candidates.rows, rows]),
        np.concatenate([candidates.columns, columns]),
        np.concatenate([candidates.costs, costs]),
    )


def _numbers(indices: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.repeat(np.arange(len(indices)), indices.shape[1])


def _none() -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int64]]:
    return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.int64)
