"""The distances that a network gives, and how far they agree with the majority of annotators."""

import numpy as np
import torch
from numpy.typing import NDArray

from semsim.exceptions import InvalidCheckpoint
from semsim_training.embedding import EmbeddingNetwork
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.judged.sized_set import SizedSet
from semsim_training.statistics.intervals import Floats
from semsim_training.statistics.ranks import Ranking, auc


@torch.no_grad()
def embed(network: EmbeddingNetwork, images: NDArray[np.uint8], batch_size: int = 64) -> Floats:
    """The embeddings ``(N, D)`` of images ``(N, S, S, 3)``."""
    network.eval()
    device = next(network.parameters()).device
    parts = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    return np.concatenate([network(torch.from_numpy(part.copy()).to(device)).double().cpu().numpy() for part in parts])


def measure(network: EmbeddingNetwork, sized: SizedSet, batch_size: int = 64) -> Floats:
    """The distance ``(N,)`` of each reconstruction from its original."""
    needed, places = np.unique(sized.original_of, return_inverse=True)
    originals = embed(network, sized.originals[needed], batch_size)
    reconstructions = embed(network, sized.reconstructions, batch_size)
    gaps: Floats = np.linalg.norm(originals[places] - reconstructions, axis=1)
    return gaps


def majority_auc(judged: JudgedSet, distances: Floats) -> float:
    """The chance that a recognised reconstruction is nearer to its original than one that was not.

    ``distances`` ``(N,)`` are those of the judged reconstructions. NaN where the majority recognised all, or none.

    Raises:
        InvalidCheckpoint: a distance is not a number, as those of a training that diverged.
    """
    if np.isnan(distances).any():
        raise InvalidCheckpoint(
            f"expected distances, got {int(np.isnan(distances).sum())} that are not numbers: the training diverged"
        )
    recognised = judged.majority[None].astype(np.float64)
    return float(auc(Ranking.of(-distances), recognised, 1 - recognised)[0])
