"""The embedding network: it turns 8-bit images into vectors, whose distance is the metric."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class EmbeddingNetwork(nn.Module):
    """A backbone between input normalisation and, if asked for, L2 normalisation of the embedding.

    Both ends belong to the network, so that no caller can normalise twice or not at all.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: nn.Module, *, mean: Sequence[float], std: Sequence[float], normalize: bool) -> None:
        """Wrap ``backbone``, which maps ``(N, 3, H, W)`` to ``(N, D)``. ``mean`` and ``std`` are in levels 0..255."""
        super().__init__()
        self.backbone = backbone
        self.normalize = normalize
        self.register_buffer("mean", torch.tensor(mean).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings float32 ``(N, D)`` of RGB images ``(N, H, W, 3)``, uint8 or float in 0..255."""
        pixels = (images.permute(0, 3, 1, 2).to(torch.float32) - self.mean) / self.std
        # The backbone may run in half precision; both normalisations stay in single precision.
        weight = next(self.backbone.parameters())
        features: Tensor = self.backbone(pixels.to(weight.dtype)).to(torch.float32)
        if not self.normalize:
            return features
        return features / features.square().sum(dim=1, keepdim=True).sqrt().clamp_min(1e-12)
