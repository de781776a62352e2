"""An embedding checkpoint: weights in safetensors, and a description of them in JSON."""

from pathlib import Path
from typing import Self

import torch
from pydantic import model_validator

from semsim.exceptions import InvalidCheckpoint
from semsim.manifest import ModelDescription
from semsim_training.backbones import build_backbone
from semsim_training.configuration import Description
from semsim_training.embedding import EmbeddingNetwork
from semsim_training.levels import Levels

_Triple = tuple[float, float, float]


class CheckpointDescription(ModelDescription, Description):
    """A checkpoint's network, its input, and where its weights come from."""

    CONTENT = "a checkpoint description"
    REFUSAL = InvalidCheckpoint

    architecture: str
    """See :func:`semsim_training.backbones.build_backbone`."""
    levels: Levels | None = None
    """The stages whose features are the embedding; ``None`` where it is the pooled features."""
    mean: _Triple
    """Per channel, in 8-bit levels 0..255."""
    std: _Triple
    """Per channel, in 8-bit levels, positive."""
    normalize_embedding: bool
    """True where distances are taken between embeddings of unit L2 norm."""

    @model_validator(mode="after")
    def _std_positive(self) -> Self:
        if min(self.std) <= 0:
            raise ValueError(f"expected three positive std, got {self.std}")
        return self


def load_network(weights: Path, description: CheckpointDescription) -> EmbeddingNetwork:
    """Build the described network with the weights of a safetensors file, in evaluation mode.

    The file must hold every weight of the network and no others; only a classifier head in it is ignored.

    Raises:
        InvalidCheckpoint: no such architecture or file, or the weights are not the architecture's.
    """
    backbone = build_backbone(description.architecture, weights, levels=description.levels)
    network = EmbeddingNetwork(
        backbone, mean=description.mean, std=description.std, normalize=description.normalize_embedding
    )
    return network.eval().to(torch.float32)
