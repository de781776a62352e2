"""The cheapest one-to-one pairing among candidate pairs, and the prices that prove it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import MissingExtra

_COARSE = 12
"""The bits by which costs are rounded for a first search, which finds prices for the second."""


@dataclass(frozen=True, slots=True, eq=False)
class CandidatePairs:
    """Candidate pairs of N rows and M columns, N at most M, each with its cost: a whole number, so that sums are exact.

    Each pair stands once, in the order of rows and then of columns.
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

    def of_rows(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The candidates of some rows, each as the place of its row in ``rows`` and as its column."""
        starts, ends = np.searchsorted(self.rows, rows), np.searchsorted(self.rows, rows, side="right")
        counts = ends - starts
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(np.arange(len(rows)), counts), self.columns[np.repeat(starts, counts) + within]

    def cheapest(self, known: NDArray[np.intp], prices: NDArray[np.int64]) -> NDArray[np.intp]:
        """The column ``(N,)`` of each row in the pairing of all rows with the least cost (Jonker & Volgenant, 1987).

        Args:
            known: a pairing ``(N,)`` of all rows by candidates. It stands first in each row, where scipy's search for
                any pairing ends at once; that search takes exponential time otherwise.
            prices: of columns ``(M,)``, none above 0. Costs are counted beyond them: the nearer they are to the prices
                that prove the result, the shorter the search. They do not change its cost.

        Raises:
            MissingExtra: scipy is not installed.
        """
        count, width = self.shape
        if count < width:
            copies = np.arange(width)
            copies[known] = width + np.arange(count)
            no_price = np.zeros(count, np.int64)
            return self._squared().cheapest(np.append(known, copies), np.append(prices, no_price))[:count]
        coarse = CandidatePairs(self.shape, self.rows, self.columns, self.costs >> _COARSE)
        partners = coarse._search(known, prices >> _COARSE, count)
        _, prices = coarse.prices(partners)
        return self._search(known, prices << _COARSE, count + 1)

    def _search(self, known: NDArray[np.intp], prices: NDArray[np.int64], width: int) -> NDArray[np.intp]:
        """The cheapest pairing of as many rows as columns, from given prices.

        With a ``width`` of one more, a column for nobody, scipy leaves out its first stage. That stage is fast, except
        where costs differ by few of many steps.
        """
        try:
            from scipy.sparse import csr_array
            from scipy.sparse.csgraph import min_weight_full_bipartite_matching
        except ModuleNotFoundError as error:
            raise MissingExtra("--match assignment needs scipy: pip install 'semsim[bulk]'") from error
        order = np.argsort(2 * self.rows + (known[self.rows] != self.columns), kind="stable")
        ends = np.append(0, np.cumsum(np.bincount(self.rows)))
        costs = (self.costs - prices[self.columns])[order]
        costs -= np.repeat(np.minimum.reduceat(costs, ends[:-1]), np.diff(ends))
        graph = csr_array(  # scipy takes zeros for pairs that are none
            (costs + 1.0, self.columns[order].astype(np.int32), ends.astype(np.int32)), (len(known), width)
        )
        return np.asarray(min_weight_full_bipartite_matching(graph)[1], dtype=np.intp)

    def _squared(self) -> "CandidatePairs":
        """As many rows as columns, which is what prices of columns ask for: they change what it costs to leave one out.

        A copy of each column, a row, takes the column where no row does. Otherwise it takes a copy of a row, along any
        candidate, at no cost.
        """
        count, width = self.shape
        each = np.arange(width)
        rows = np.concatenate([self.rows, count + each, count + self.columns])
        columns = np.concatenate([self.columns, each, width + self.rows])
        order = np.lexsort((columns, rows))
        costs = np.append(self.costs, np.zeros(len(rows) - len(self.costs), np.int64))
        return CandidatePairs((count + width, width + count), rows[order], columns[order], costs[order])

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
