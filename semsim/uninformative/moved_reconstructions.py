"""Reconstructions that show a part of their originals elsewhere.

Clients move and crop their images before they train, and an attack finds what the client trained on. People recognise
a photograph that is moved by a quarter of its side; the model finds little likeness. So the edges of both pictures are
compared at every displacement by up to half of the side in both directions, over the part that both then show. Edges
have directions, as complex numbers (Fitch et al., "Orientation Correlation", BMVC 2002), and all products are taken at
once in the frequency domain, with the norms of the parts (Padfield, "Masked Object Registration in the Fourier Domain",
IEEE Transactions on Image Processing, 2012). Blurs, which are like everything, have hardly any edges in common. What
lies behind a moved picture does not matter. docs/user.md has the rates.
"""

import numpy as np
from numpy.typing import NDArray

from semsim.uninformative.reordered_reconstructions import SIDE

_ALIKE, _MORE = 0.5, 0.2
"""The least correlation of the edges of a moved reconstruction, and how much larger it is than without displacement."""
_TIMES, _SURE = 3.5, 0.85
"""How many times as large it is as the root mean square over all displacements, where it is below the second number:
two smooth pictures are somewhat alike at many displacements."""
_ALIKE_AMONG_MANY, _TIMES_AMONG_MANY = 0.6, 4.0
"""The two where each of many pairs is looked at, of which some are alike by chance."""
_LEAST_EDGES = 0.1
"""The least strength of the edges of the part that is compared, beside that of the whole picture."""

_FARTHEST = SIDE // 2
_PADDED = SIDE + _FARTHEST
_MOVES = np.arange(-_FARTHEST, _FARTHEST + 1)


def resemble_moved(
    originals: NDArray[np.float32], reconstructions: NDArray[np.float32], *, among_many: bool = False
) -> NDArray[np.bool_]:
    """True, ``(N,)``, where a reconstruction is far more like its original when it is moved.

    Both are N small copies, ``(N, 16 * 3 * 16)``: rows, channels, columns. ``among_many`` asks for a clearer likeness,
    for pairs that are some of many.
    """
    alike_from, times = (_ALIKE_AMONG_MANY, _TIMES_AMONG_MANY) if among_many else (_ALIKE, _TIMES)
    count = len(originals)
    edges = _edges(np.concatenate([originals, reconstructions]))
    spectra, squares = _spectra(edges), (edges * edges).sum(axis=2)
    products = _at_moves(spectra[:count].conj() * spectra[count:])
    of_first, of_second = _energies(squares[:count], _SEEN), _energies(squares[count:], _SEEN[::-1])
    alike = products / np.sqrt(of_first * of_second).clip(1e-6)
    alike *= np.minimum(_beside_the_whole(of_first), _beside_the_whole(of_second)) >= _LEAST_EDGES
    best = alike.max(axis=(1, 2))
    usual = np.sqrt((alike * alike).mean(axis=(1, 2)))
    least = np.maximum(alike[:, _FARTHEST, _FARTHEST] + _MORE, (times * usual).clip(alike_from, _SURE))
    moved: NDArray[np.bool_] = best >= least
    return moved


def _edges(copies: NDArray[np.float32]) -> NDArray[np.float32]:
    """The differences of neighbours in grey, ``(N, 16, 2, 16)``: in each row those across, then those down.

    Strong edges count little more than others, so that no single one decides.
    """
    grey = copies.reshape(-1, SIDE, 3, SIDE).sum(axis=2)
    edges = np.zeros((len(grey), SIDE, 2, SIDE), dtype=np.float32)
    inner = grey[:, :-1, :-1]
    np.subtract(grey[:, :-1, 1:], inner, out=edges[:, :-1, 0, :-1])
    np.subtract(grey[:, 1:, :-1], inner, out=edges[:, :-1, 1, :-1])
    squares = (edges * edges).sum(axis=2)
    usual = np.sqrt(squares.mean(axis=(1, 2), keepdims=True))
    edges /= (np.sqrt(squares) + usual).clip(1e-6)[:, :, None]
    return edges


def _spectra(edges: NDArray[np.float32]) -> NDArray[np.complex64]:
    """The padded Fourier transforms ``(N, 24, 24)`` of edges as complex numbers, across the real part."""
    rows = (edges.reshape(-1, SIDE, 2 * SIDE) @ _WAVES_OF_ROWS).view(np.complex64)
    return np.asarray(_WAVES @ rows)


def _at_moves(spectra: NDArray[np.complex64]) -> NDArray[np.float32]:
    """The real parts ``(N, 17, 17)`` of the inverse transforms at all displacements."""
    return np.asarray((_BACK @ spectra).view(np.float32) @ _BACK_OF_ROWS)


def _energies(squares: NDArray[np.float32], seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sums of squares ``(N, 17, 17)`` over the part of a picture that is compared at each displacement."""
    return np.asarray(seen @ squares @ seen.T)


def _beside_the_whole(energies: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean energy of the compared part beside that of the whole picture, ``(N, 17, 17)``."""
    whole = energies[:, _FARTHEST, _FARTHEST, None, None].clip(1e-6)
    share: NDArray[np.float32] = energies / whole / _AREAS
    return share


def _seen() -> NDArray[np.float32]:
    """1 for each place along an original's side that is still in the picture after a displacement, ``(17, 16)``."""
    places = np.arange(SIDE) + _MOVES[:, None]
    return ((places >= 0) & (places < SIDE)).astype(np.float32)


def _waves(places: NDArray[np.intp]) -> NDArray[np.complex128]:
    """The waves of a padded side at some places, ``(24, places)``."""
    return np.asarray(np.exp(-2j * np.pi / _PADDED * np.outer(np.arange(_PADDED), places)))


_SEEN = _seen()
_AREAS = np.outer(_SEEN.mean(axis=1), _SEEN.mean(axis=1)).astype(np.float32)
# Of so small pictures products give the transforms in a third of the time of numpy's, and at the displacements alone.
_WAVES = _waves(np.arange(SIDE)).astype(np.complex64)
_BACK = (_waves(_MOVES).conj().T / _PADDED).astype(np.complex64)
_WAVES_OF_ROWS = np.ascontiguousarray(np.concatenate([_WAVES.T, 1j * _WAVES.T])).view(np.float32)
_BACK_OF_ROWS = np.ascontiguousarray(_BACK.conj()).view(np.float32).T
