"""A victim's network, as a configuration or the file beside its weights says it."""

from enum import StrEnum

from pydantic import Field

from semsim_training.client_images.network_inputs import Inputs
from semsim_training.configuration import FrozenModel


class Architecture(StrEnum):
    """The victims that can be built by name."""

    LENET = "lenet"
    CONVNET = "convnet"
    RESNET20 = "resnet20"
    RESNET18 = "resnet18"
    DENSENET = "densenet"
    VIT = "vit"
    PERCEPTRON = "perceptron"
    IMPRINT = "imprint"


DEFAULT_WIDTH = {
    Architecture.CONVNET: 64,
    Architecture.RESNET20: 16,
    Architecture.VIT: 96,
    Architecture.PERCEPTRON: 256,
    Architecture.IMPRINT: 128,
}
"""The width of each architecture that has one, where a description gives none."""


class Network(FrozenModel):
    """A network, and the images that it takes."""

    architecture: Architecture
    width: int | None = Field(default=None, ge=1)
    """Channels of the first layer (ConvNet, ResNet20; the paper's ResNet20-4 has 64), hidden units (perceptron),
    the tokens' dimension (ViT) or bins (imprint); ``None`` for :data:`DEFAULT_WIDTH`."""
    classes: int = Field(ge=2)
    size: int = Field(ge=16, le=512)
    """The side of the square input, in pixels."""
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    """The mean of each channel, in levels 0..255."""
    std: tuple[float, float, float] = (63.75, 63.75, 63.75)
    """The standard deviation of each channel, in levels, positive."""

    @property
    def inputs(self) -> Inputs:
        """The images that the network takes."""
        return Inputs(size=self.size, classes=self.classes, mean=self.mean, std=self.std)

    @property
    def label(self) -> str:
        """A short name for tables: ``resnet20-w64``."""
        width = self.width or DEFAULT_WIDTH.get(self.architecture)
        return self.architecture if width is None else f"{self.architecture}-w{width}"
