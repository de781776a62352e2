"""A victim's network, as a configuration or the file beside its weights says it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from semsim.exceptions import InvalidConfiguration
from semsim.schema_mistakes import did_you_mean
from semsim_training.client_images.network_inputs import Inputs
from semsim_training.configuration import FrozenModel
from semsim_training.plug_ins import PlugIn, PlugInKind, known_names, plug_in, plug_ins


class Architecture(StrEnum):
    """The victims that can be built by name, plug-ins apart."""

    LENET = "lenet"
    CONVNET = "convnet"
    RESNET20 = "resnet20"
    RESNET20_GN = "resnet20-gn"
    MOBILENET = "mobilenet"
    SMALL_DENSENET = "small-densenet"
    RESNET18 = "resnet18"
    DENSENET = "densenet"
    VIT = "vit"
    PERCEPTRON = "perceptron"
    IMPRINT = "imprint"
    LOKI = "loki"


DEFAULT_WIDTH: Mapping[str, int] = {
    Architecture.CONVNET: 64,
    Architecture.RESNET20: 16,
    Architecture.RESNET20_GN: 16,
    Architecture.MOBILENET: 16,
    Architecture.SMALL_DENSENET: 12,
    Architecture.VIT: 96,
    Architecture.PERCEPTRON: 256,
    Architecture.IMPRINT: 128,
    Architecture.LOKI: 256,
}
"""The width of each architecture that has one, where a description gives none."""


def victim_plug_in(architecture: str) -> PlugIn | None:
    """The plug-in of this name; ``None`` for an :class:`Architecture` and for an unknown name.

    Raises:
        InvalidConfiguration: the name stands for several victims.
    """
    return plug_in(PlugInKind.VICTIM, architecture, tuple(Architecture))


def _known(architecture: str) -> str:
    """The architecture, an :class:`Architecture` where it is built in."""
    if victim_plug_in(architecture) is not None:
        return architecture
    if architecture not in set(Architecture):
        names = known_names(PlugInKind.VICTIM, tuple(Architecture))
        near = did_you_mean(architecture, [*Architecture, *plug_ins(PlugInKind.VICTIM)])
        raise ValueError(f"expected an architecture of {names}, got {architecture}{near}")
    return Architecture(architecture)


class Network(FrozenModel):
    """A network, and the images that it takes."""

    architecture: Annotated[str, AfterValidator(_known)]
    """A built-in architecture, such as ``resnet20``, or the name of a plug-in."""
    width: int | None = Field(default=None, ge=1)
    """Channels of the first layer (ConvNet, ResNet20, MobileNet; the paper's ResNet20-4 has 64) or of each layer (small
    DenseNet), hidden units (perceptron), the tokens' dimension (ViT) or bins (imprint, LOKI); ``None`` for
    :data:`DEFAULT_WIDTH`. A plug-in says what it means."""
    clients: int | None = Field(default=None, ge=1, exclude_if=lambda value: value is None)
    """The clients whose updates LOKI's module keeps apart, for ``loki`` alone; ``None`` for one."""
    classes: int = Field(ge=2)
    """The number of classes: above the largest label of the images."""
    size: int = Field(ge=16, le=512)
    """The side of the square input, in pixels."""
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    """The mean of each channel, in levels 0..255."""
    std: tuple[float, float, float] = (63.75, 63.75, 63.75)
    """The standard deviation of each channel, in levels, positive."""

    @model_validator(mode="after")
    def _normalises(self) -> Self:
        try:
            _ = self.inputs
        except InvalidConfiguration as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def inputs(self) -> Inputs:
        """The images that the network takes."""
        return Inputs(size=self.size, classes=self.classes, mean=self.mean, std=self.std)

    @property
    def label(self) -> str:
        """A short name for tables: ``resnet20-w64``."""
        width = self.width or DEFAULT_WIDTH.get(self.architecture)
        named = self.architecture if width is None else f"{self.architecture}-w{width}"
        return named if self.clients is None else f"{named}-c{self.clients}"
