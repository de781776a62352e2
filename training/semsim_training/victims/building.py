"""The untrained network that a description stands for."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import nn

from semsim.exceptions import InvalidVictim
from semsim_training.client_images.normalisation import box
from semsim_training.gradients.loss import logits_of
from semsim_training.plug_ins import PlugIn
from semsim_training.victims.convnet import ConvNet
from semsim_training.victims.description import DEFAULT_WIDTH, Architecture, Network, victim_plug_in
from semsim_training.victims.imprint import ImprintedPerceptron
from semsim_training.victims.lenet import LeNet
from semsim_training.victims.mobilenet import MobileNet
from semsim_training.victims.perceptron import Perceptron
from semsim_training.victims.resnet20 import ResNet20, group_normalisation
from semsim_training.victims.scaled_imprint import ScaledImprint
from semsim_training.victims.small_densenet import SmallDenseNet
from semsim_training.victims.vision_transformer import VisionTransformer


def build_network(network: Network, seed: int, initialisation: Literal["default", "uniform"] = "default") -> nn.Module:
    """The untrained network, in evaluation mode; the same for the same seed.

    Raises:
        InvalidVictim: the architecture does not have an option that is set.
        InvalidConfiguration: a plug-in cannot be loaded, fails, or makes no network of these inputs and classes.
    """
    plugged = victim_plug_in(network.architecture)
    if network.width is not None and network.architecture not in DEFAULT_WIDTH and plugged is None:
        raise InvalidVictim(f"expected no width for {network.architecture}, got {network.width}")
    if network.clients is not None and network.architecture != Architecture.LOKI:
        raise InvalidVictim(f"expected no number of clients for {network.architecture}, got {network.clients}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _module(network) if plugged is None else _plugged(plugged, network)
        if initialisation == "uniform":
            if not isinstance(model, LeNet):
                raise InvalidVictim(f"expected lenet for the uniform initialisation, got {network.architecture}")
            model.uniform_weights()
    return model.eval()


_CONVOLUTIONAL: dict[str, Callable[[int, int, int], nn.Module]] = {
    Architecture.LENET: lambda classes, size, _: LeNet(classes, size),
    Architecture.CONVNET: ConvNet,
    Architecture.RESNET20: lambda classes, _, width: ResNet20(classes, width),
    Architecture.RESNET20_GN: lambda classes, _, width: ResNet20(classes, width, group_normalisation),
    Architecture.MOBILENET: lambda classes, _, width: MobileNet(classes, width),
    Architecture.SMALL_DENSENET: lambda classes, _, width: SmallDenseNet(classes, width),
}
"""Makes a network of so many classes, of images of a size, and of a width."""


def _module(network: Network) -> nn.Module:
    classes, size = network.classes, network.size
    width = network.width or DEFAULT_WIDTH.get(network.architecture, 0)
    if network.architecture in _CONVOLUTIONAL:
        if network.architecture is Architecture.RESNET20_GN and width % 4:
            raise InvalidVictim(f"expected a resnet20-gn of a width in 4s, got {width}")
        return _CONVOLUTIONAL[network.architecture](classes, size, width)
    match network.architecture:
        case Architecture.VIT:
            if width % 32 or size % 8:
                raise InvalidVictim(f"expected a vit of a width in 32s and a size in 8s, got {width} and {size}")
            return VisionTransformer(classes, size, width)
        case Architecture.PERCEPTRON:
            return Perceptron(classes, size, width)
        case Architecture.IMPRINT:
            return ImprintedPerceptron(classes, size, width)
        case Architecture.LOKI:
            return ScaledImprint(classes, size, width, network.clients or 1, *box(network.inputs))
        case Architecture.RESNET18 | Architecture.DENSENET:
            return _torchvision(network.architecture, classes)
    raise InvalidVictim(f"expected an architecture of {', '.join(Architecture)}, got {network.architecture}")


def _plugged(plugged: PlugIn, network: Network) -> nn.Module:
    """The network that a plug-in's factory makes, called with the inputs, and with the width where there is one."""
    factory, inputs = plugged.load(), network.inputs
    if not callable(factory):
        raise plugged.refused("a function or a class that makes a torch.nn.Module", type(factory).__name__)
    model = plugged.call(factory, inputs, **({} if network.width is None else {"width": network.width}))
    if not isinstance(model, nn.Module):
        raise plugged.refused("a torch.nn.Module", type(model).__name__)
    with torch.no_grad():
        shape = tuple(plugged.call(lambda: logits_of(model.eval()(torch.zeros(1, *inputs.shape)))).shape)
    if shape != (1, inputs.classes):
        raise plugged.refused(f"logits (1, {inputs.classes}) for one image {inputs.shape}", str(shape))
    return model


def _torchvision(architecture: str, classes: int) -> nn.Module:
    from torchvision.models import densenet121, resnet18  # a second of import that most victims do not need

    builder = resnet18 if architecture is Architecture.RESNET18 else densenet121
    model: nn.Module = builder(weights=None, num_classes=classes)
    return model
