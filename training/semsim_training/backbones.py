"""Backbones: networks that turn images into features, without a classifier."""

from pathlib import Path

import timm
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from semsim.exceptions import InvalidCheckpoint
from semsim_training.levels import LevelFeatures, Levels

SMALL_RESNET18 = "resnet18-small-images"
"""torchvision's ResNet-18 with a 3x3 stem of stride 1 and no pooling, for 32 pixels: the SemSim paper's network."""


def build_backbone(
    architecture: str, weights: Path | None = None, drop_path: float = 0.0, levels: Levels | None = None
) -> nn.Module:
    """A network from images ``(N, 3, H, W)`` to features ``(N, D)``: :data:`SMALL_RESNET18`, or a timm model by name.

    Its weights are read from the file ``weights`` (safetensors), where one is given. The file must hold every weight of
    the network and no others; only a classifier head is ignored. ``drop_path`` is timm's rate of stochastic depth. With
    ``levels`` the features of these stages are the embedding in place of the pooled ones; the weights may be those of
    the whole network or of its levels.

    Raises:
        InvalidCheckpoint: no such architecture or file, or the weights are not the architecture's.
    """
    if architecture == SMALL_RESNET18:
        backbone, head = _small_resnet18(), "fc."
    elif timm.is_model(architecture):
        options = {"drop_path_rate": drop_path} if drop_path else {}
        backbone = timm.create_model(architecture, pretrained=False, num_classes=0, **options)
        head = f"{backbone.pretrained_cfg['classifier']}."
    else:
        raise InvalidCheckpoint(f"expected {SMALL_RESNET18} or a timm architecture, got {architecture}")
    if weights is None:
        return backbone if levels is None else LevelFeatures(backbone, levels)
    try:
        state = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise InvalidCheckpoint(f"expected a safetensors file at {weights}: {error}") from error
    of_levels = levels is not None and any(name.startswith("weights.") for name in state)
    network = LevelFeatures(backbone, levels) if levels is not None and of_levels else backbone
    try:
        network.load_state_dict({name: value for name, value in state.items() if not name.startswith(head)})
    except RuntimeError as error:
        raise InvalidCheckpoint(f"{weights} does not hold the weights of {architecture}: {error}") from error
    return network if levels is None or of_levels else LevelFeatures(backbone, levels)


def _small_resnet18() -> nn.Module:
    from torchvision.models import resnet18

    network: nn.Module = resnet18(weights=None)
    network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    network.maxpool = nn.Identity()
    network.fc = nn.Identity()
    return network
