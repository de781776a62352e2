"""The pairs that are no candidates: those that are shorter than their prices, or the proof that there are none."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from semsim.bulk.blocked_distances import EmbeddingDistances, blocks
from semsim.bulk.sparse_assignment import CandidatePairs

_ADDED = 16
"""The pairs at most that an embedding of either side gets in a round."""


class LeftOutPairs:
    """The pairs of N rows and M columns that are no candidates, by what is known of their distances.

    Each is at least as long as the bound of its row and the price of its column when that was last seen, together. So a
    row is looked at again only where prices rose since by more than that allows, and only beside such columns.
    """

    def __init__(self, distances: EmbeddingDistances, bounds: NDArray[np.float64]) -> None:
        """Begin with a distance ``(N,)`` for each row that all of its pairs keep which are no candidates."""
        self._distances, self._bounds = distances, bounds
        self._seen = np.zeros(len(distances.right))

    def short(
        self,
        candidates: CandidatePairs,
        of_rows: NDArray[np.float64],
        of_columns: NDArray[np.float64],
        tolerance: float,
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], float]:
        """Pairs, as rows and columns, that are shorter than their two prices together by more than ``tolerance``.

        They are the shortest of each row and some of the shortest of each column; none where no pair is short. The
        third is a bound on the length that a pairing of the least total distance may save.
        """
        rise, room = of_columns - self._seen, self._bounds - of_rows
        self._seen, self._bounds = of_columns, self._bounds - rise.max()
        asked = np.flatnonzero(room + tolerance < rise.max())
        asked = asked[np.argsort(-room[asked])]  # so that a block asks for few columns
        # Among equal pairs each row prefers others, so that equal embeddings do not ask for the same few.
        preference = np.random.default_rng(0).random(len(of_rows) + len(of_columns)) * (tolerance / 2)
        rows, columns, saved = [np.empty(0, np.intp)], [np.empty(0, np.intp)], 0.0
        least = np.full((_ADDED, len(of_columns)), -tolerance)  # of each column, in each of so many parts of the rows
        row_of_least = np.zeros(least.shape, np.intp)
        for number, some in enumerate(blocks(asked, len(of_columns))):
            others = np.flatnonzero(rise > room[some].min())
            slack = self._distances.block(some, others)
            slack -= of_rows[some][:, None]
            slack -= of_columns[others]
            slack += sliding_window_view(preference, len(others))[: len(some)]
            _leave_out(slack, others, *candidates.of_rows(some))
            near, is_short, rest = _shortest(slack, tolerance)
            rows.append(np.repeat(some, is_short.sum(axis=1)))
            columns.append(others[near[is_short]])
            saved -= float(np.minimum(slack.min(axis=1), 0.0).sum())
            if len(others) < len(rise):
                rest = np.minimum(rest, room[some] - np.delete(rise, others).max())
            self._bounds[some] = of_rows[some] + rest - tolerance / 2
            nearest = slack.argmin(axis=0)
            lengths = slack[nearest, np.arange(len(others))]
            is_less = lengths < least[number % _ADDED, others]
            least[number % _ADDED, others[is_less]] = lengths[is_less]
            row_of_least[number % _ADDED, others[is_less]] = some[nearest[is_less]]
        parts, short_columns = np.nonzero(least < -tolerance)
        rows.append(row_of_least[parts, short_columns])
        return np.concatenate(rows), np.concatenate([*columns, short_columns]), saved


def _leave_out(
    slack: NDArray[np.float64], others: NDArray[np.intp], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> None:
    """Set the slack of candidates to infinity, where their columns are among ``others``, which are sorted."""
    places = np.minimum(np.searchsorted(others, columns), len(others) - 1)
    is_here = others[places] == columns
    slack[rows[is_here], places[is_here]] = np.inf


def _shortest(
    slack: NDArray[np.float64], tolerance: float
) -> tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.float64]]:
    """The places of the least of each row, in no order, which of them are short, and the least of the others."""
    count = min(_ADDED, slack.shape[1] - 1)
    near = np.argpartition(slack, count, axis=1)[:, : count + 1]
    lengths = np.take_along_axis(slack, near, axis=1)
    is_short = lengths < -tolerance
    if count < slack.shape[1] - 1:
        is_short[:, -1] = False  # it bounds those beyond
    lengths[is_short] = np.inf
    return near, is_short, lengths.min(axis=1)
