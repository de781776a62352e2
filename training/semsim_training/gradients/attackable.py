"""A copy of a victim for attacks: frozen, differentiable twice, with clients kept apart."""

import copy

from torch import nn

from semsim_training.gradients.batchnorm import ClientBatchNorm


def attackable_copy(model: nn.Module, images: int, *, train_batchnorm: bool) -> nn.Module:
    """A frozen copy whose batch normalisation keeps clients of ``images`` images apart; names are unchanged."""
    network = copy.deepcopy(model).eval().requires_grad_(False)
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, ClientBatchNorm.like(child, images).train(train_batchnorm).requires_grad_(False))
            elif hasattr(child, "inplace"):
                child.__dict__["inplace"] = False  # a layer's output must still be there when its gradient is taken
    return network


def batchnorm_layers(network: nn.Module) -> list[ClientBatchNorm]:
    """The batch normalisations of an attackable copy, in order."""
    return [module for module in network.modules() if isinstance(module, ClientBatchNorm)]


def has_batchnorm(model: nn.Module) -> bool:
    """True where a model has a batch normalisation."""
    return any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
