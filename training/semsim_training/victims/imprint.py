"""The imprint module of Robbing the Fed (Fowl et al., ICLR 2022, arXiv 2110.13057).

A malicious server puts it before the model. Every unit measures the mean brightness of the image and fires above its
threshold. The gradients of two neighbouring units differ by the images between their thresholds.
"""

import math

import torch
from torch import Tensor, nn


class ImprintedPerceptron(nn.Module):
    """The imprint module in front of a small perceptron that behaves as a classifier."""

    def __init__(self, classes: int, size: int, bins: int) -> None:
        """``size`` is the side of the square images, in pixels; ``bins`` the thresholds."""
        super().__init__()
        pixels = 3 * size * size
        self.imprint = nn.Linear(pixels, bins)
        # All units have the same weights behind them, so that a unit's gradient says only which images made it fire.
        self.restore = nn.Linear(bins, 64)
        self.classifier = nn.Linear(64, classes)
        with torch.no_grad():
            self.imprint.weight.fill_(1 / pixels)
            self.imprint.bias.copy_(-_thresholds(bins))
            self.restore.weight.copy_(torch.randn(64, 1).expand(64, bins) / bins)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, classes)`` of normalised images ``(B, 3, size, size)``."""
        fired = self.imprint(images.flatten(1)).relu()
        logits: Tensor = self.classifier(self.restore(fired).tanh())
        return logits


def _thresholds(bins: int) -> Tensor:
    """Thresholds between which a normalised image's mean lies with equal probabilities.

    The means are taken as normal with a deviation of one, which is the deviation of normalised pixels. That of
    natural images' means is half as large, so the outer bins hold less than their share.
    """
    levels = (torch.arange(bins, dtype=torch.float64) + 0.5) / bins
    return (math.sqrt(2.0) * torch.erfinv(2 * levels - 1)).to(torch.float32)
