"""Learned positions of a transformer, in a layer of their own so that attacks can see what passes through."""

import torch
from torch import Tensor, nn


class AddedPositions(nn.Module):
    """Adds a learned vector to every token: ``(B, tokens, D)`` to the same."""

    def __init__(self, tokens: int, dimension: int) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(tokens, dimension) * 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens with their positions."""
        return x + self.positions
