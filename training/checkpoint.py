"""An embedding checkpoint: weights in safetensors, and a JSON description of what they are."""

from pathlib import Path
from typing import Self

import timm
import torch
from pydantic import model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file

from semsim.exceptions import InvalidCheckpoint
from semsim.manifest import ModelDescription
from training.configuration import read_description
from training.embedding import EmbeddingNetwork

_Triple = tuple[float, float, float]


class CheckpointDescription(ModelDescription):
    """What a checkpoint's weights are: the network to build, its input, and where it comes from."""

    architecture: str
    """A timm model name; the classifier head is left out, pooled features are the embedding."""
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
    if not timm.is_model(description.architecture):
        raise InvalidCheckpoint(f"expected a timm architecture, got {description.architecture}")
    backbone = timm.create_model(description.architecture, pretrained=False, num_classes=0)
    head = f"{timm.create_model(description.architecture).pretrained_cfg['classifier']}."
    try:
        state = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise InvalidCheckpoint(f"expected a safetensors file at {weights}: {error}") from error
    state = {name: value for name, value in state.items() if not name.startswith(head)}
    try:
        backbone.load_state_dict(state)
    except RuntimeError as error:
        raise InvalidCheckpoint(
            f"{weights} does not hold the weights of {description.architecture}: {error}"
        ) from error
    network = EmbeddingNetwork(
        backbone, mean=description.mean, std=description.std, normalize=description.normalize_embedding
    )
    return network.eval().to(torch.float32)
