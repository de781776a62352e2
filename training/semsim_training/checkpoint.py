"""An embedding checkpoint: weights in safetensors, and a JSON description of what they are."""

from pathlib import Path
from typing import Self

import torch
from pydantic import model_validator

from semsim.exceptions import InvalidCheckpoint
from semsim.manifest import ModelDescription
from semsim_training.backbones import build_backbone
from semsim_training.configuration import read_description
from semsim_training.embedding import EmbeddingNetwork

_Triple = tuple[float, float, float]


class CheckpointDescription(ModelDescription):
    """What a checkpoint's weights are: the network to build, its input, and where it comes from."""

    architecture: str
    """See :func:`semsim_training.backbones.build_backbone`; pooled features are the embedding."""
    mean: _Triple
    """Per channel, in 8-bit levels 0..255."""
    std: _Triple
    """Per channel, in 8-bit levels, positive."""
    normalize_embedding: bool
    """Whether distances are taken between embeddings of unit L2 norm."""

    @model_validator(mode="after")
    def _std_positive(self) -> Self:
        if min(self.std) <= 0:
            raise ValueError(f"expected three positive std, got {self.std}")
        return self

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a description.

        Raises:
            InvalidCheckpoint: no such file, or it does not fit the schema.
        """
        return read_description(cls, path, InvalidCheckpoint, "a checkpoint description")


def load_network(weights: Path, description: CheckpointDescription) -> EmbeddingNetwork:
    """Build the described network with the weights of a safetensors file, in evaluation mode.

    Weights of a classifier head are ignored; every other weight must be used and given.

    Raises:
        InvalidCheckpoint: no such architecture or file, or the weights are not the architecture's.
    """
    backbone = build_backbone(description.architecture, weights)
    network = EmbeddingNetwork(
        backbone, mean=description.mean, std=description.std, normalize=description.normalize_embedding
    )
    return network.eval().to(torch.float32)
