"""The features of several stages of a network as one embedding, whose L2 distance compares as LPIPS does.

LPIPS (Zhang et al., CVPR 2018) gives the features of a stage unit length over channels at each position, weights the
channels, and adds the squared differences, averaged over positions and summed over stages. Here the weighted features,
pooled to few positions, are the embedding, so that the same comparison is an L2 distance.
"""

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from semsim.exceptions import InvalidCheckpoint
from semsim_training.configuration import FrozenModel

_SMALL = 1e-8


class Levels(FrozenModel):
    """The stages that are compared, and how."""

    stages: tuple[int, ...] = Field(min_length=1)
    """The stages of the network, counted from 0; those after the last one are left out of it."""
    side: int = Field(default=4, ge=1)
    """The features of a stage are averaged over squares to about ``side`` x ``side`` positions."""
    channels: int | None = Field(default=None, ge=1)
    """The channels that a learned matrix makes of each stage's; ``None`` for a learned weight for each channel."""
    mirrored: float = Field(default=1.0, ge=0, le=1)
    """The weight of what the features of a stage change by when left and right are exchanged. At 1 the features stay as
    they are; the lower it is, the nearer a mirrored picture is. At 0 left and right are not told apart."""
    places: float = Field(default=1.0, ge=0, le=1)
    """The weight of what the features of a stage differ by from their mean over all positions. The lower it is, the
    nearer a picture is whose content has moved. At 0 positions are not told apart."""


class LevelFeatures(nn.Module):
    """The first stages of an EfficientNet of timm: images ``(N, 3, H, W)`` to embeddings ``(N, D)``.

    Raises:
        InvalidCheckpoint: the network is no EfficientNet, or has not so many stages.
    """

    def __init__(self, network: nn.Module, levels: Levels) -> None:
        """Take the stages that ``levels`` names from ``network``. Channel weights begin equal, matrices orthogonal."""
        super().__init__()
        parts = [getattr(network, name, None) for name in ("conv_stem", "bn1", "blocks")]
        stem, norm, blocks = parts
        if not isinstance(stem, nn.Module) or not isinstance(norm, nn.Module) or not isinstance(blocks, nn.Sequential):
            raise InvalidCheckpoint(f"expected an EfficientNet of timm for levels, got {type(network).__name__}")
        if not 0 <= min(levels.stages) <= max(levels.stages) < len(blocks):
            raise InvalidCheckpoint(f"expected stages 0 to {len(blocks) - 1}, got {levels.stages}")
        self.levels = levels
        self.stem, self.norm = stem, norm
        self.blocks = nn.ModuleList(blocks[: max(levels.stages) + 1])
        counts = _channels(self, levels.stages)
        scale = len(levels.stages) ** -0.5
        self.weights = nn.ParameterList()
        for count in counts:
            if levels.channels is None:
                self.weights.append(nn.Parameter(torch.full((count,), scale)))
                continue
            # A projection to k of C orthogonal directions keeps k / C of a squared length, on average.
            matrix = nn.init.orthogonal_(torch.empty(min(levels.channels, count), count))
            self.weights.append(nn.Parameter(matrix * scale * (count / len(matrix)) ** 0.5))

    def forward(self, pixels: Tensor) -> Tensor:
        """The embeddings float32 ``(N, D)`` of normalised images ``(N, 3, H, W)``."""
        parts = []
        for stage, parameter in zip(self.stages(pixels), self.weights, strict=True):
            features, weight = stage.to(torch.float32), parameter.to(torch.float32)  # half precision has no 1e-8
            unit = features / (features.square().sum(1, keepdim=True) + _SMALL).sqrt()
            kernel = max(1, round(unit.shape[-1] / self.levels.side))
            pooled = F.avg_pool2d(unit, kernel) if kernel > 1 else unit
            if (share := self.levels.mirrored) < 1:  # The even part has weight 1, the odd one ``share``.
                pooled = (1 + share) / 2 * pooled + (1 - share) / 2 * pooled.flip(-1)
            if (share := self.levels.places) < 1:
                pooled = share * pooled + (1 - share) * pooled.mean((2, 3), keepdim=True)
            weighted = (
                pooled * weight[:, None, None] if weight.dim() == 1 else F.conv2d(pooled, weight[:, :, None, None])
            )
            parts.append((weighted / (pooled.shape[-1] * pooled.shape[-2]) ** 0.5).flatten(1))
        return torch.cat(parts, 1)

    def stages(self, pixels: Tensor) -> list[Tensor]:
        """The features ``(N, C, h, w)`` of each compared stage."""
        features, taken = self.norm(self.stem(pixels)), []
        for stage, block in enumerate(self.blocks):
            features = block(features)
            if stage in self.levels.stages:
                taken.append(features)
        return taken


@torch.no_grad()
def _channels(features: LevelFeatures, stages: tuple[int, ...]) -> list[int]:
    """The number of channels of each compared stage."""
    training = features.training
    taken = features.eval().stages(torch.zeros(1, 3, 32, 32))
    features.train(training)
    return [one.shape[1] for one in taken]
