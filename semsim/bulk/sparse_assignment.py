"""The cheapest one-to-one pairing among candidate pairs, and the prices that prove it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import MissingExtra


@dataclass(frozen=True, slots=True, eq=False)
class CandidatePairs:
    """Candidate pairs of N rows and M columns, N at most M, each with its cost: a whole number, so that sums are exact.

    Each pair stands once.
    """

    shape: tuple[int, int]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    costs: NDArray[np.int64]

    def greedy(self) -> NDArray[np.intp]:
        """A column ``(N,)`` for each row: the cheapest pairs first, and for rows without any, what is left."""
        partners, is_taken = [-1] * self.shape[0], [False] * self.shape[1]
        order = np.argsort(self.costs, kind="stable")
        for row, column in zip(self.rows[order].tolist(), self.columns[order].tolist(), strict=True):
            if partners[row] < 0 and not is_taken[column]:
                partners[row], is_taken[column] = column, True
        columns = np.array(partners, dtype=np.intp)
        lone = np.flatnonzero(columns < 0)
        columns[lone] = np.flatnonzero(~np.array(is_taken))[: len(lone)]
        return columns

    def cheapest(self, known: NDArray[np.intp]) -> NDArray[np.intp]:
        """The column ``(N,)`` of each row in the pairing of all rows with the least cost (Jonker & Volgenant, 1987).

        Args:
            known: a pairing ``(N,)`` of all rows by candidates. It stands first in each row, where scipy's search for
                any pairing ends at once; that search takes exponential time otherwise.

        Raises:
            MissingExtra: scipy is not installed.
        """
        try:
            from scipy.sparse import csr_array
            from scipy.sparse.csgraph import min_weight_full_bipartite_matching
        except ModuleNotFoundError as error:
            raise MissingExtra("--match assignment needs scipy: pip install 'semsim[bulk]'") from error
        order = np.argsort(2 * self.rows + (known[self.rows] != self.columns), kind="stable")
        ends = np.cumsum(np.bincount(self.rows, minlength=self.shape[0]))
        costs = self.costs[order] + 1.0  # scipy takes zeros for pairs that are none
        # With a column for nobody, scipy leaves out a first stage that takes seconds where many are nearly alike.
        shape = self.shape[0], self.shape[1] + 1
        graph = csr_array((costs, self.columns[order].astype(np.int32), np.append(0, ends).astype(np.int32)), shape)
        return np.asarray(min_weight_full_bipartite_matching(graph)[1], dtype=np.intp)

    def prices(self, partners: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Prices ``(N,)`` of rows and ``(M,)`` of columns which prove that ``partners`` is the cheapest pairing.

        No candidate costs less than the prices of its row and its column together, those of ``partners`` cost exactly
        that, no column has a price above 0, and one without a partner has 0. They are the highest such prices of
        columns: shortest paths of exchanges (Bellman, 1958).
        """
        order = np.argsort(self.columns, kind="stable")
        rows, columns, costs = self.rows[order], self.columns[order], self.costs[order]
        paid = np.zeros(self.shape[0], dtype=np.int64)
        is_pair = partners[rows] == columns
        paid[rows[is_pair]] = costs[is_pair]
        present, starts = np.unique(columns, return_index=True)
        exchange, given = costs - paid[rows], partners[rows]
        prices = np.zeros(self.shape[1], dtype=np.int64)
        while True:
            lower = np.minimum(np.minimum.reduceat(exchange + prices[given], starts), prices[present])
            if np.array_equal(lower, prices[present]):
                return paid - prices[partners], prices
            prices[present] = lower
