"""The module of LOKI (Zhao et al., IEEE S&P 2024, arXiv 2303.12233), whose images survive the sum over clients.

A malicious server sends every client another first convolution. It copies the image into three channels of the
client's own, scaled up, and leaves the channels of all other clients at zero. A fully connected layer behind it then
has columns of its own for every client, and sums of updates do not mix clients. Each of its units fires in one bin of
brightness only. The scale lets a unit's first step of training drive it out of its bin for good, so that no later local
step adds another image.
"""

import copy
import math
from typing import Self

import torch
from torch import Tensor, nn

SCALE = 500.0
"""The factor of the copies (the convolutional scaling factor of section 3.6; 500 in the authors' demonstration)."""
BRIGHTNESS = (0.473, 0.125)
"""Mean and standard deviation of CIFAR-10's images' mean brightness, black 0 and white 1."""


class ScaledImprint(nn.Module):
    """LOKI's module in front of a small perceptron that behaves as a classifier."""

    def __init__(self, classes: int, size: int, bins: int, clients: int, black: Tensor, white: Tensor) -> None:
        """The module for ``clients`` clients whose images are ``size`` pixels square.

        Args:
            classes: the number of classes.
            size: the side of the square images, in pixels.
            bins: the bins of brightness; the paper takes four for each image of a client.
            clients: the number of clients whose updates are added up.
            black: the normalised value of black, ``(3, 1, 1)``.
            white: the normalised value of white, ``(3, 1, 1)``.
        """
        super().__init__()
        self.clients, pixels = clients, 3 * size * size
        self.copies = nn.Conv2d(3, 3 * clients, 1)
        self.imprint = nn.Linear(clients * pixels, bins)
        self.restore = nn.Linear(bins, 64)
        self.classifier = nn.Linear(64, classes)
        edges = _edges(bins)
        widths = edges.diff()
        self.register_buffer("centres", (edges[:-1] + edges[1:]) / 2, persistent=False)
        self.centres: Tensor
        with torch.no_grad():
            # The copies are 0 for black and SCALE for white, so that what does not belong to a client is exactly 0.
            slope = (SCALE / (white - black)).flatten()
            self.copies.weight.copy_(torch.diag(slope).repeat(clients, 1)[:, :, None, None])
            self.copies.bias.copy_((-slope * black.flatten()).repeat(clients))  # type: ignore[union-attr]
            self.imprint.weight.copy_((1 / (SCALE * pixels * widths))[:, None].expand_as(self.imprint.weight))
            self.imprint.bias.copy_(-edges[:-1] / widths)
            # All units have the same weights behind them, as in the imprint module of Robbing the Fed.
            self.restore.weight.copy_(torch.randn(64, 1).expand(64, bins) / bins)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, classes)`` of normalised images ``(B, 3, size, size)``."""
        fired = self.imprint(self.copies(images).relu().flatten(1)).clamp(0, 1)
        logits: Tensor = self.classifier(self.restore(fired).tanh())
        return logits

    def sent_to(self, client: int) -> Self:
        """The module as one client gets it: the channels of all others stay at zero."""
        sent = copy.deepcopy(self)
        with torch.no_grad():
            for index in range(self.clients):
                if index != client:
                    sent.copies.weight[3 * index : 3 * index + 3] = 0
                    sent.copies.bias[3 * index : 3 * index + 3] = 0  # type: ignore[index]
        return sent


def _edges(bins: int) -> Tensor:
    """The ``bins + 1`` edges of brightness between which images of a normal distribution lie equally often."""
    mean, deviation = BRIGHTNESS
    levels = torch.arange(1, bins + 2, dtype=torch.float64) / (bins + 2)
    return (mean + deviation * math.sqrt(2.0) * torch.erfinv(2 * levels - 1)).to(torch.float32)
