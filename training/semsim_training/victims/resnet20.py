"""ResNet20 for small images (He et al., CVPR 2016, arXiv 1512.03385, section 4.2)."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import relu

Normalisation = Callable[[int], nn.Module]
"""Makes the normalisation of so many channels."""


def group_normalisation(channels: int) -> nn.Module:
    """Normalisation over groups of four channels of one image (Wu and He, ECCV 2018, arXiv 1803.08494).

    Federated learning often takes it in the place of batch normalisation (Hsieh et al., ICML 2020, arXiv 1910.00189).
    """
    return nn.GroupNorm(channels // 4, channels)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; a 1x1 convolution where the shape changes."""

    def __init__(self, before: int, after: int, stride: int, normalisation: Normalisation) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.bn1 = normalisation(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = normalisation(after)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), normalisation(after))

    def forward(self, x: Tensor) -> Tensor:
        """The activations ``(B, after, H / stride, W / stride)`` from those ``(B, before, H, W)``."""
        return relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


class ResNet20(nn.Module):
    """Three stages of three blocks; ``width`` 16 is the original, 64 the SemSim paper's ResNet20-4."""

    def __init__(self, classes: int, width: int, normalisation: Normalisation = nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn1 = normalisation(width)
        widths = (width, width, 2 * width, 4 * width)
        self.layer1, self.layer2, self.layer3 = (
            nn.Sequential(
                BasicBlock(before, after, stride, normalisation),
                BasicBlock(after, after, 1, normalisation),
                BasicBlock(after, after, 1, normalisation),
            )
            for before, after, stride in zip(widths, widths[1:], (1, 2, 2), strict=False)
        )
        self.fc = nn.Linear(4 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, classes)`` of images ``(B, 3, H, W)``."""
        x = self.layer3(self.layer2(self.layer1(relu(self.bn1(self.conv1(images))))))
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits
