"""A transformer's learned positions as a layer, so that attacks can see what passes through."""

import torch
from torch import Tensor, nn


class AddedPositions(nn.Module):
    """Adds a learned vector to every token: ``(B, tokens, D)`` to the same."""

    def __init__(self, tokens: int, dimension: int) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(tokens, dimension) * 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """The tokens plus their positions."""
        return x + self.positions
