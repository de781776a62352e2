"""The distances between two sets of embeddings, block by block, so that memory does not grow with their product."""

import numpy as np
from numpy.typing import NDArray

BLOCK = 2**22
"""The distances that are held at once, and the numbers of embeddings beside them."""
_CACHED = 2**17
"""The numbers of embeddings that are subtracted at once: so few stay in a processor's cache, which is twice as fast."""
_ERROR = 1e-5
"""A bound on the error of a squared distance in float32, relative to the squared lengths of the two embeddings."""


class EmbeddingDistances:
    """The L2 distances from N embeddings ``left`` to M embeddings ``right``, both float32 ``(., D)`` and not empty."""

    def __init__(self, left: NDArray[np.float32], right: NDArray[np.float32]) -> None:
        """Keep the two arrays, uncopied, and measure them from their common centre, where rounding is least."""
        self.left, self.right = left, right
        sums = left.sum(axis=0, dtype=np.float64) + right.sum(axis=0, dtype=np.float64)
        self._centre = (sums / (len(left) + len(right))).astype(np.float32)
        self._left_squares, self._right_squares = self._squares(left), self._squares(right)

    @property
    def longest(self) -> float:
        """A bound on every distance, at least twice the longest embedding from the centre."""
        return 2.0 * float(np.sqrt(max(self._left_squares.max(), self._right_squares.max())))

    def nearest(self, count: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """The indices ``(N, min(count, M))`` of the nearest of ``right``, in no order, by distances in float32.

        Beside them the distance ``(N,)`` which all others keep at least; infinity where there are no others.
        """
        others = self.right - self._centre
        squares = self._right_squares.astype(np.float32)
        count = min(count, len(others))
        indices = np.empty((len(self.left), count), dtype=np.intp)
        beyond = np.full(len(self.left), np.inf)
        for rows in _slices(len(self.left), len(others)):
            if count == len(others):
                indices[rows] = np.arange(count)
                continue
            block = (self.left[rows] - self._centre) * np.float32(-2.0) @ others.T
            block += squares
            order = np.argpartition(block, count, axis=1)
            indices[rows] = order[:, :count]
            left = self._left_squares[rows]
            next_one = np.take_along_axis(block, order[:, count : count + 1], axis=1)[:, 0] + left
            beyond[rows] = np.sqrt(np.maximum(next_one - _ERROR * (left + self._right_squares.max()), 0.0))
        return indices, beyond

    def of_pairs(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
        """The distances ``(P,)`` of P pairs, exact in float64: also those of near copies."""
        distances = np.empty(len(rows))
        for some in _slices(len(rows), self.left.shape[1], _CACHED):
            differences = self.left[rows[some]].astype(np.float64)
            differences -= self.right[columns[some]]
            distances[some] = np.sqrt(np.einsum("pd,pd->p", differences, differences))
        return distances

    def block(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
        """All distances ``(R, C)`` between some of both sides, computed in float64 by products.

        Their error is below 1e-7 of the longest distance. The caller chooses R so that R x C is at most ``BLOCK``.
        """
        near = self._centred(self.left[rows])
        squares = np.empty((len(rows), len(columns)))
        for some in _slices(len(columns), self.left.shape[1], 8 * _CACHED):
            squares[:, some] = near @ self._centred(self.right[columns[some]]).T
        squares *= -2.0
        squares += self._left_squares[rows][:, None]
        squares += self._right_squares[columns]
        np.maximum(squares, 0.0, out=squares)
        np.sqrt(squares, out=squares)
        return squares

    def _centred(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(embeddings - self._centre, dtype=np.float64)

    def _squares(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        squares = np.empty(len(embeddings))
        for some in _slices(*embeddings.shape):
            centred = self._centred(embeddings[some])
            squares[some] = np.einsum("nd,nd->n", centred, centred)
        return squares


def blocks(rows: NDArray[np.intp], columns: int) -> list[NDArray[np.intp]]:
    """The ``rows`` in parts of at most ``BLOCK`` distances to that many ``columns``."""
    return [rows[some] for some in _slices(len(rows), columns)]


def _slices(rows: int, columns: int, most: int = BLOCK) -> list[slice]:
    step = max(1, most // max(1, columns))
    return [slice(start, start + step) for start in range(0, rows, step)]


_NEAR = 8


def closest(left: NDArray[np.float32], right: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Each of the embeddings ``left`` ``(N, D)`` with the closest of ``right`` ``(M, D)``, as indices.

    One may be the closest of several. The question is: did any of the reconstructions rebuild this image?
    """
    distances = EmbeddingDistances(left, right)
    near, beyond = distances.nearest(_NEAR)
    near.sort(axis=1)
    rows = np.arange(len(left))
    exact = distances.of_pairs(np.repeat(rows, near.shape[1]), near.ravel()).reshape(near.shape)
    chosen = near[rows, exact.argmin(axis=1)]
    # Among many that are nearly as close, float32 does not tell which are the closest eight.
    for some in blocks(np.flatnonzero(exact.min(axis=1) >= beyond), len(right)):
        chosen[some] = distances.block(some, np.arange(len(right))).argmin(axis=1)
    return list(enumerate(chosen.tolist()))
