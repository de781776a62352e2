"""The comparison of an exported graph with the network that it was exported from."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from semsim.exceptions import ParityFailed
from semsim.manifest import Parity, Precision
from semsim_training.embedding import EmbeddingNetwork

MAX_FP32_DIFFERENCE: Final = 1e-4
"""The largest difference of a component of L2-normalised embeddings at which fp32 agrees with torch."""
MIN_SPEARMAN: Final[dict[Precision, float]] = {
    "fp32": 0.9999,
    "fp16-weights": 0.999,
    "fp16": 0.999,
    "int8": 0.99,
}
"""The least rank agreement of distances with those of the fp32 network, by precision."""
MAX_STRETCH: Final = 0.05
"""The largest share by which distances may be longer or shorter than the fp32 network's: a calibration is of lengths,
which ranks and unit embeddings do not show."""

_BATCH = 32


@dataclass(frozen=True, slots=True)
class PairEmbeddings:
    """The embeddings of N originals and of their counterparts, each float32 ``(N, D)``."""

    originals: NDArray[np.float32]
    counterparts: NDArray[np.float32]

    @property
    def distances(self) -> NDArray[np.float64]:
        """The L2 distance of each original and its counterpart, ``(N,)``."""
        distances: NDArray[np.float64] = np.linalg.norm(self.originals.astype(np.float64) - self.counterparts, axis=1)
        return distances

    @property
    def unit(self) -> NDArray[np.float64]:
        """All embeddings, L2-normalised, ``(2 N, D)``."""
        both = np.concatenate([self.originals, self.counterparts]).astype(np.float64)
        unit: NDArray[np.float64] = both / np.maximum(np.linalg.norm(both, axis=1, keepdims=True), 1e-12)
        return unit


def embed_with_torch(network: EmbeddingNetwork, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embeddings float32 ``(N, D)`` of uint8 ``(N, H, W, 3)`` by the network itself."""
    with torch.inference_mode():
        parts = [network(torch.from_numpy(images[i : i + _BATCH])).numpy() for i in range(0, len(images), _BATCH)]
    return np.concatenate(parts)


def compare(reference: PairEmbeddings, candidate: PairEmbeddings, provider: str) -> Parity:
    """The agreement of the candidate's embeddings and distances with those of the reference."""
    return Parity(
        images=len(reference.unit),
        provider=provider,
        max_abs_difference=float(np.abs(reference.unit - candidate.unit).max()),
        pairs=len(reference.distances),
        distance_spearman=float(spearmanr(reference.distances, candidate.distances).statistic),
    )


def check(parity: Parity, precision: Precision) -> None:
    """Refuse a graph that does not agree.

    Raises:
        ParityFailed: the message says by how much.
    """
    lowest = MIN_SPEARMAN[precision]
    if not parity.distance_spearman >= lowest:
        raise ParityFailed(
            f"expected {precision} distances with a Spearman of at least {lowest} to the fp32 network's, "
            f"got {parity.distance_spearman:.5f} on {parity.pairs} pairs"
        )
    if precision == "fp32" and not parity.max_abs_difference <= MAX_FP32_DIFFERENCE:
        raise ParityFailed(
            f"expected fp32 embeddings within {MAX_FP32_DIFFERENCE} of the network's, "
            f"got {parity.max_abs_difference:.2e}"
        )


def check_lengths(reference: PairEmbeddings, candidate: PairEmbeddings) -> None:
    """Refuse a graph whose distances have another scale than the network's: each pair would have another leakage.

    Raises:
        ParityFailed: the message says by how much.
    """
    stretch = float(candidate.distances.mean() / reference.distances.mean())
    if not abs(stretch - 1) <= MAX_STRETCH:
        raise ParityFailed(
            f"expected distances within {MAX_STRETCH:.0%} of the fp32 network's, on average, got {stretch:.3f} times"
        )
