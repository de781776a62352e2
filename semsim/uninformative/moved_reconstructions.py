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
_LEAST_EDGES = 0.1
"""The least strength of the edges of the part that is compared, beside that of the whole picture."""

_FARTHEST = SIDE // 2
_PADDED = SIDE + _FARTHEST
_MOVES = np.arange(-_FARTHEST, _FARTHEST + 1)


def resemble_moved(originals: NDArray[np.float32], reconstructions: NDArray[np.float32]) -> NDArray[np.bool_]:
    """True, ``(N,)``, where a reconstruction is far more like its original when it is moved.

    Both are N small copies, ``(N, 3 * 16 * 16)``.
    """
    first, second = _edges(originals), _edges(reconstructions)
    spectrum = _spectrum(first).conj() * _spectrum(second)
    products = np.fft.ifft2(spectrum).real[:, _MOVES[:, None], _MOVES]  # negative places are displacements, too
    of_first, of_second = _energies(first, _SEEN), _energies(second, _SEEN[::-1])
    alike = products / np.sqrt(of_first * of_second).clip(1e-6)
    enough = np.minimum(_beside_the_whole(of_first), _beside_the_whole(of_second)) >= _LEAST_EDGES
    alike = np.where(enough, alike, 0)
    best = alike.max(axis=(1, 2))
    usual = np.sqrt((alike * alike).mean(axis=(1, 2)))
    least = np.maximum(alike[:, _FARTHEST, _FARTHEST] + _MORE, (_TIMES * usual).clip(_ALIKE, _SURE))
    moved: NDArray[np.bool_] = best >= least
    return moved


def _edges(copies: NDArray[np.float32]) -> NDArray[np.complex64]:
    """The differences of neighbours in grey, ``(N, 16, 16)``, across as the real part and down as the imaginary one.

    Strong edges count little more than others, so that no single one decides.
    """
    grey = copies.reshape(-1, 3, SIDE, SIDE).sum(axis=1)
    edges = np.zeros(grey.shape, dtype=np.complex64)
    inner = grey[:, :-1, :-1]
    edges[:, :-1, :-1] = (grey[:, :-1, 1:] - inner) + 1j * (grey[:, 1:, :-1] - inner)
    strengths = np.abs(edges)
    usual = np.sqrt((strengths * strengths).mean(axis=(1, 2), keepdims=True))
    edges /= (strengths + usual).clip(1e-6)
    return edges


def _spectrum(edges: NDArray[np.complex64]) -> NDArray[np.complexfloating]:
    return np.fft.fft2(edges, (_PADDED, _PADDED))


def _energies(edges: NDArray[np.complex64], seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sums of squares ``(N, 17, 17)`` over the part of a picture that is compared at each displacement."""
    energies: NDArray[np.float32] = seen @ (edges.real**2 + edges.imag**2) @ seen.T
    return energies


def _beside_the_whole(energies: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean energy of the compared part beside that of the whole picture, ``(N, 17, 17)``."""
    whole = energies[:, _FARTHEST, _FARTHEST, None, None].clip(1e-6)
    share: NDArray[np.float32] = energies / whole / _AREAS
    return share


def _seen() -> NDArray[np.float32]:
    """1 for each place along an original's side that is still in the picture after a displacement, ``(17, 16)``."""
    places = np.arange(SIDE) + _MOVES[:, None]
    return ((places >= 0) & (places < SIDE)).astype(np.float32)


_SEEN = _seen()
_AREAS = np.outer(_SEEN.mean(axis=1), _SEEN.mean(axis=1))
