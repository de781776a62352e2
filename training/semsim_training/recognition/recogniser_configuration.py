"""The configuration of recognisers: their networks, their images, and how they are trained."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from semsim_training.client_images.source import ImageSource
from semsim_training.configuration import Configuration, FrozenModel


class RecogniserTraining(FrozenModel):
    """Recognisers for one reconstruction set, one for each seed."""

    dataset: Path
    """The reconstruction set; relative to the configuration."""
    images: ImageSource
    """Images of the same classes. Those that the set attacks are left out."""
    architecture: str
    """See :func:`semsim_training.backbones.build_backbone`."""
    pretrained: Path | None = None
    """Weights of the backbone to start from."""
    mean: tuple[float, float, float]
    """Per channel, in levels 0..255."""
    std: tuple[float, float, float]
    """Per channel, in levels, positive."""
    resolution: int = Field(default=96, ge=32)
    """Images are enlarged to this side, in pixels."""
    epochs: int = Field(ge=1)
    epoch_images: int = Field(ge=1)
    """The number of images of an epoch, drawn evenly from all classes."""
    batch_size: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.02, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)


class RecogniserTrainings(Configuration):
    """A configuration file: recognisers by their names."""

    recognisers: Mapping[str, RecogniserTraining]
