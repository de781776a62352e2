"""Originals that show nothing: plain colours, smooth gradients and noise.

Nothing can be recognised in such a picture, and so nothing in a reconstruction of it. A model that learned from
photographs says little about it either: it takes two unrelated noise pictures, or two plain colours, for much the same.

The rule looks at the original alone, at one size, and knows no model. A picture shows nothing where it is smooth or
even. Smooth: little contrast is left when the best quadratic surface is taken away. Even: no row and no column stands
out, and the detail is as strong in one place as in another. Noise is even, whatever its strength, its colour and its
grain; photographs, drawings and print are not, but a QR code or a fine grid is. How often the rule calls pictures of
each kind so is in docs/user.md (``semsim_training.uninformative_report`` measures it).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SIDE = 64
"""The height and width of the pictures that the rule looks at. Its limits were measured at this size."""

_LEAST_CONTRAST = 2.0
"""The largest standard deviation of a channel that is left, in levels of 0..255, of a smooth picture."""
_UNEVEN, _BY_CHANCE = 0.28, 5.0
"""The unevenness of an even picture is at most the first, and the second over the original's shorter side more."""
_SMALLEST = 16
_BLOCKS = 8


def show_nothing(pictures: NDArray[np.uint8], original_sides: Sequence[int]) -> NDArray[np.bool_]:
    """True, ``(N,)``, for pictures ``(N, 64, 64, 3)`` that are smooth or even.

    ``original_sides`` are the shorter sides, in pixels, that the originals had before they were resized to this size.
    The fewer pixels one had, the more uneven noise is by chance; below 16 pixels real images could not be told from it.
    """
    rows = pictures.reshape(-1, SIDE, SIDE * 3).astype(np.float32)
    rows -= 128.0
    strips = rows.reshape(-1, _BLOCKS, SIDE // _BLOCKS, SIDE * 3)
    sums = np.einsum("nbrx->nbx", strips)
    means, squares = sums @ _OF_BLOCKS, np.einsum("nbrx,nbrx->nbx", strips, strips) @ _OF_BLOCKS
    across = rows @ _ACROSS
    of_rows, of_columns = across[..., :3], (sums.sum(axis=1) / SIDE).reshape(-1, SIDE, 3)

    # The best quadratic surface is a sum of products of a polynomial along the columns and one along the rows.
    surface = (_POLYNOMIALS @ across)[..., :6].reshape(-1, 3, 2, 3) * _QUADRATIC
    curved = _POLYNOMIALS[2] @ of_columns
    mean, mean_squares = surface[:, 0, 0], squares.reshape(-1, SIDE * 3) @ _MEANS
    rest = mean_squares - (surface * surface).sum(axis=(1, 2)) - curved * curved
    smooth = rest.max(axis=1) < _LEAST_CONTRAST**2

    variance = (mean_squares - mean * mean).sum(axis=1)
    profiles = np.stack([of_rows, of_columns]) - mean[:, None]
    profile = np.einsum("pnyc,pnyc->pn", profiles, profiles).max(axis=0) / SIDE
    details = np.sqrt((squares - means * means).reshape(-1, _BLOCKS**2, 3).sum(axis=2).clip(0))
    usual = details.mean(axis=1)
    details -= usual[:, None]
    variation = np.sqrt(np.vecdot(details, details)) / _BLOCKS
    limits = [_UNEVEN + _BY_CHANCE / min(max(side, _SMALLEST), SIDE) for side in original_sides]
    # No block of tiles in plain colours has any detail, and these are not even.
    even = variation < (limits - profile / variance.clip(1)) * usual
    nothing: NDArray[np.bool_] = smooth | even
    return nothing


def _polynomials() -> NDArray[np.float64]:
    """Orthogonal polynomials of degree 0, 1 and 2 along a side, ``(3, 64)``, of mean square 1.

    They are divided by the number of places, so that products with them are means over the places.
    """
    place = np.linspace(-1, 1, SIDE)
    columns = np.linalg.qr(np.stack([np.ones(SIDE), place, place * place], axis=1))[0] / np.sqrt(SIDE)
    columns[:, 0] = 1 / SIDE  # exact, so that plain colours have no variance
    return np.asarray(columns.T)


_POLYNOMIALS = _polynomials().astype(np.float32)
_ACROSS = np.zeros((SIDE * 3, 8), dtype=np.float32)  # 8 columns take less time than 6
_ACROSS[:, :6] = np.kron(_POLYNOMIALS[:2].T, np.eye(3))
_QUADRATIC = np.array([[1, 1], [1, 1], [1, 0]], dtype=np.float32)[..., None]
"""1 for the products that are quadratic: the square down the rows times the slope along them is not."""
_MEANS = np.tile(np.eye(3, dtype=np.float32) / SIDE, (SIDE, 1))
_OF_BLOCKS = (np.kron(np.eye(_BLOCKS).repeat(SIDE // _BLOCKS, axis=0), np.eye(3)) * (_BLOCKS / SIDE) ** 2).astype(
    np.float32
)
