"""The LeNet of Deep Leakage from Gradients (Zhu et al., NeurIPS 2019, arXiv 1906.08935)."""

import math

from torch import Tensor, nn


class LeNet(nn.Module):
    """Three sigmoid convolutions of 12 channels and one fully connected layer; twice differentiable everywhere."""

    def __init__(self, classes: int, size: int) -> None:
        """``size`` is the side of the square images, in pixels."""
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 12, 5, stride=2, padding=2),
            nn.Sigmoid(),
            nn.Conv2d(12, 12, 5, stride=2, padding=2),
            nn.Sigmoid(),
            nn.Conv2d(12, 12, 5, padding=2),
            nn.Sigmoid(),
        )
        side = math.ceil(size / 4)
        self.classifier = nn.Linear(12 * side * side, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, classes)`` of images ``(B, 3, size, size)``."""
        logits: Tensor = self.classifier(self.features(images).flatten(1))
        return logits

    def uniform_weights(self) -> None:
        """The initialisation of the paper's code: every parameter uniform in [-0.5, 0.5]."""
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.5, 0.5)
