"""What a victim is, and the network that a description stands for."""

from enum import StrEnum
from typing import Literal

import torch
from pydantic import Field
from torch import nn

from semsim.exceptions import InvalidVictim
from semsim_training.configuration import FrozenModel
from semsim_training.victims.convnet import ConvNet
from semsim_training.victims.imprint import ImprintedPerceptron
from semsim_training.victims.lenet import LeNet
from semsim_training.victims.perceptron import Perceptron
from semsim_training.victims.resnet20 import ResNet20
from semsim_training.victims.vision_transformer import VisionTransformer


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


_DEFAULT_WIDTH = {
    Architecture.CONVNET: 64,
    Architecture.RESNET20: 16,
    Architecture.VIT: 96,
    Architecture.PERCEPTRON: 256,
    Architecture.IMPRINT: 128,
}


class Network(FrozenModel):
    """Which network, on which images. Frozen and written beside the weights."""

    architecture: Architecture
    width: int | None = Field(default=None, ge=1)
    """Channels of the first layer (ConvNet 64, ResNet20 16; the paper's ResNet20-4 is 64), hidden units
    (perceptron 256), tokens' dimension (ViT 96) or bins (imprint 128); ``None`` for those defaults."""
    classes: int = Field(ge=2)
    size: int = Field(ge=16, le=512)
    """Side of the square input, in pixels."""
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    """Per channel, in levels 0..255."""
    std: tuple[float, float, float] = (63.75, 63.75, 63.75)
    """Per channel, in levels, positive."""

    @property
    def label(self) -> str:
        """A short name for tables: ``resnet20-w64``."""
        width = self.width or _DEFAULT_WIDTH.get(self.architecture)
        return self.architecture if width is None else f"{self.architecture}-w{width}"

    def build(self, seed: int, initialisation: Literal["default", "uniform"] = "default") -> nn.Module:
        """The untrained network, in evaluation mode; the same for the same seed.

        Raises:
            InvalidVictim: options that the architecture does not have.
        """
        width = self.width or _DEFAULT_WIDTH.get(self.architecture, 0)
        if self.width is not None and self.architecture not in _DEFAULT_WIDTH:
            raise InvalidVictim(f"expected no width for {self.architecture}, got {self.width}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = self._module(width)
            if initialisation == "uniform":
                if not isinstance(model, LeNet):
                    raise InvalidVictim(f"expected lenet for the uniform initialisation, got {self.architecture}")
                model.uniform_weights()
        return model.eval()

    def _module(self, width: int) -> nn.Module:
        match self.architecture:
            case Architecture.LENET:
                return LeNet(self.classes, self.size)
            case Architecture.CONVNET:
                return ConvNet(self.classes, self.size, width)
            case Architecture.RESNET20:
                return ResNet20(self.classes, width)
            case Architecture.VIT:
                if width % 32 or self.size % 8:
                    raise InvalidVictim(
                        f"expected a vit of a width in 32s and a size in 8s, got {width} and {self.size}"
                    )
                return VisionTransformer(self.classes, self.size, width)
            case Architecture.PERCEPTRON:
                return Perceptron(self.classes, self.size, width)
            case Architecture.IMPRINT:
                return ImprintedPerceptron(self.classes, self.size, width)
            case Architecture.RESNET18 | Architecture.DENSENET:
                return _torchvision(self.architecture, self.classes)


def _torchvision(architecture: Architecture, classes: int) -> nn.Module:
    from torchvision.models import densenet121, resnet18  # a second of import that most victims do not need

    builder = resnet18 if architecture is Architecture.RESNET18 else densenet121
    model: nn.Module = builder(weights=None, num_classes=classes)
    return model
