"""A small DenseNet for small images (Huang et al., CVPR 2017, arXiv 1608.06993, section 4.2)."""

import torch
from torch import Tensor, nn


class DenseLayer(nn.Module):
    """Normalisation, ReLU and a 3x3 convolution, whose channels join those that came in."""

    def __init__(self, before: int, growth: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(before)
        self.conv = nn.Conv2d(before, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The activations ``(B, before + growth, H, W)`` from those ``(B, before, H, W)``."""
        return torch.cat([x, self.conv(self.norm(x).relu())], dim=1)


class SmallDenseNet(nn.Module):
    """Three blocks of four layers; a 1x1 convolution and average pooling between them."""

    def __init__(self, classes: int, growth: int) -> None:
        """``growth`` is the number of channels that each layer adds; the stem has twice as many."""
        super().__init__()
        channels = 2 * growth
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1, bias=False)]
        for block in range(3):
            if block:
                layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels // 2, 1, bias=False)]
                layers += [nn.AvgPool2d(2)]
                channels //= 2
            for _ in range(4):
                layers.append(DenseLayer(channels, growth))
                channels += growth
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(channels), nn.ReLU())
        self.classifier = nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, classes)`` of images ``(B, 3, H, W)``."""
        logits: Tensor = self.classifier(self.features(images).mean(dim=(2, 3)))
        return logits
