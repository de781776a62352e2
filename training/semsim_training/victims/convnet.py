"""The ConvNet of Inverting Gradients (Geiping et al., NeurIPS 2020, arXiv 2003.14053)."""

from torch import Tensor, nn


class ConvNet(nn.Module):
    """Eight 3x3 convolutions with batch normalisation, two max poolings of 3, one fully connected layer."""

    def __init__(self, classes: int, size: int, width: int) -> None:
        """``size`` is the side of the square images, in pixels; ``width`` the channels of the first layer (64)."""
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for factor in (1, 2, 2, 4, 4, 4):
            layers += _convolution(before, factor * width)
            before = factor * width
        layers += [nn.MaxPool2d(3), *_convolution(before, before), *_convolution(before, before), nn.MaxPool2d(3)]
        self.features = nn.Sequential(*layers)
        side = size // 3 // 3
        self.classifier = nn.Linear(before * side * side, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, classes)`` of images ``(B, 3, size, size)``."""
        logits: Tensor = self.classifier(self.features(images).flatten(1))
        return logits


def _convolution(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
