"""The chance of a likeness: is a reconstruction this picture, or any picture of its kind?

Leakage says that a person would name what a reconstruction shows. An unrelated picture of the same class passes for
that, too. Controls are public images: where hardly any of them is as near to a reconstruction as its original is, the
reconstruction is of this picture. The share of controls that are, the original counted with them, is a p-value (Phipson
and Smyth, "Permutation P-values Should Never Be Zero", 2010), if the controls are of the same kind as the original.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidConfiguration

FEWEST_CONTROLS = 100
"""The fewest controls, with which a chance below 1% can be told."""
IDENTIFIED = 0.01
"""The chance below which a reconstruction is identified."""
_COPY = 0.12
"""The largest distance of a copy of an image, such as one in another format, as a share of the controls' median
distance: 0.13 for the bundled model, from which photographs of one person stay away."""
_ALIKE = 0.1
"""The median distance under which controls are all alike, as a share of their embeddings' length; that of faces is 0.6
and more."""
_ROWS = 256
"""Controls that are compared at once with all that come before them."""


def chance_of(as_like: NDArray[np.intp] | int, controls: NDArray[np.intp] | int) -> NDArray[np.float64]:
    """The share of ``controls`` that are ``as_like``, one counted with them: (k + 1) / (K + 1), never 0."""
    return np.asarray((as_like + 1) / (controls + 1), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class ControlEmbeddings:
    """The embeddings of K public images; no image.

    Raises:
        InvalidConfiguration: there are fewer than 100, they are all alike, or an embedding is not finite.
    """

    embeddings: NDArray[np.float32]
    """``(K, D)``."""
    graph_sha256: str
    """The hash of the graph that embedded them. Embeddings of two graphs cannot be compared."""

    def __post_init__(self) -> None:
        if not np.isfinite(self.embeddings).all():
            raise InvalidConfiguration("expected controls whose embeddings are finite, got NaN or infinity")
        if len(self) < FEWEST_CONTROLS:
            raise InvalidConfiguration(
                f"expected at least {FEWEST_CONTROLS} different controls, public images of the kind of the originals, "
                f"got {len(self)}"
            )
        median = _median_distance(self.embeddings)
        length = float(np.linalg.norm(self.embeddings, axis=1).mean())
        if not median >= _ALIKE * length:  # anything else would seem near beside them
            raise InvalidConfiguration(
                f"expected controls with a median distance of at least {_ALIKE * length:.3g}, got images that are all "
                f"alike, {median:.3g} apart"
            )

    @classmethod
    def of(cls, embeddings: NDArray[np.float32], graph_sha256: str) -> Self:
        """The controls of public images' embeddings ``(N, D)``; images that are nearly equal count once.

        Raises:
            InvalidConfiguration: there are fewer than 100 different images, they are all alike, or an embedding is not
                finite.
        """
        return cls(embeddings[different(embeddings)], graph_sha256)

    def __len__(self) -> int:
        return len(self.embeddings)

    @cached_property
    def _lengths(self) -> NDArray[np.float32]:
        return _squared_lengths(self.embeddings)

    @cached_property
    def _copy_distance(self) -> float:
        return _COPY * _median_distance(self.embeddings)

    @property
    def digest(self) -> str:
        """A hash that tells these controls from others, 64 hexadecimal digits."""
        return hashlib.sha256(self.graph_sha256.encode() + self.embeddings.tobytes()).hexdigest()

    def chances(
        self,
        embeddings: NDArray[np.float32],
        originals: NDArray[np.intp],
        reconstructions: NDArray[np.intp],
        distances: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """The chance of each of N pairs, ``(N,)``; NaN where fewer than 100 controls are no copies of its original.

        A control as near to the reconstruction as the original counts as nearer. A copy of the original among the
        controls does not count: it would be as near to each reconstruction.

        Args:
            embeddings: those of the U images of the pairs, ``(U, D)``, by the graph of the controls.
            originals: the row of each pair's original, ``(N,)``.
            reconstructions: the row of each pair's reconstruction, ``(N,)``.
            distances: the distance of each pair, ``(N,)``.
        """
        squares = _squares(embeddings, self.embeddings, self._lengths)
        copies = squares[originals] <= self._copy_distance**2
        as_like = (squares[reconstructions] <= distances[:, None] ** 2) & ~copies
        left = len(self) - copies.sum(axis=1)
        chances = chance_of(as_like.sum(axis=1), left)
        chances[left < FEWEST_CONTROLS] = np.nan
        return chances

    def distances(
        self, embeddings: NDArray[np.float32], originals: NDArray[np.intp], reconstructions: NDArray[np.intp]
    ) -> list[NDArray[np.float64]]:
        """The distances ``(k,)`` of the controls to the reconstruction of each of N pairs.

        Those of copies of its original are left out. The arguments are those of :meth:`chances`.
        """
        squares = _squares(embeddings, self.embeddings, self._lengths)
        apart = squares > self._copy_distance**2
        lengths = np.sqrt(np.maximum(squares, 0.0)).astype(np.float64)
        return [lengths[made][apart[source]] for source, made in zip(originals, reconstructions, strict=True)]


def different(embeddings: NDArray[np.float32]) -> NDArray[np.bool_]:
    """False ``(N,)`` for an image that is a copy of an earlier one, by their embeddings ``(N, D)``."""
    kept = np.ones(len(embeddings), dtype=np.bool_)
    limit = (_COPY * _median_distance(embeddings)) ** 2
    for start in range(0, len(embeddings), _ROWS):
        rows = embeddings[start : start + _ROWS]
        near = _squares(rows, embeddings[: start + len(rows)]) <= limit
        kept[start : start + len(rows)] = ~np.tril(near, start - 1).any(axis=1)
    return kept


def _squares(
    one: NDArray[np.float32], other: NDArray[np.float32], lengths: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """The squared distances ``(N, M)`` of the rows of two arrays, exact to a millionth of their lengths.

    ``lengths`` are the squared lengths of ``other``, ``(M,)``, where they are known.
    """
    known = _squared_lengths(other) if lengths is None else lengths
    products = (other @ one.T).T  # in this order twice as fast where ``one`` has few rows
    return np.asarray(_squared_lengths(one)[:, None] + known - 2 * products)


def _squared_lengths(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.einsum("ij,ij->i", embeddings, embeddings))


def _median_distance(embeddings: NDArray[np.float32]) -> float:
    """The median distance of two of the images, or of some of them where they are many; 0 for fewer than two."""
    some = embeddings[:: 1 + len(embeddings) // _ROWS]
    if len(some) < 2:
        return 0.0
    return float(np.sqrt(max(0.0, float(np.median(_squares(some, some)[np.triu_indices(len(some), 1)])))))
