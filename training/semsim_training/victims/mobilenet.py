"""A small MobileNet (Howard et al., 2017, arXiv 1704.04861): depthwise separable convolutions for small images."""

from torch import Tensor, nn


class MobileNet(nn.Module):
    """A 3x3 stem and seven depthwise separable convolutions, three of them with stride 2; batch normalisation."""

    def __init__(self, classes: int, width: int) -> None:
        """``width`` is the number of the stem's channels; the last layer has eight times as many."""
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
        for factor, stride in ((2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2), (8, 1)):
            layers += _separable(before, factor * width, stride)
            before = factor * width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(before, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, classes)`` of images ``(B, 3, H, W)``."""
        logits: Tensor = self.classifier(self.features(images).mean(dim=(2, 3)))
        return logits


def _separable(before: int, after: int, stride: int) -> list[nn.Module]:
    """A 3x3 convolution of each channel by itself, and a 1x1 convolution over channels."""
    return [
        nn.Conv2d(before, before, 3, stride, padding=1, groups=before, bias=False),
        nn.BatchNorm2d(before),
        nn.ReLU(),
        nn.Conv2d(before, after, 1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    ]
