"""A small vision transformer (Dosovitskiy et al., ICLR 2021, arXiv 2010.11929)."""

from torch import Tensor, nn

from semsim_training.gradients.position import AddedPositions


class TransformerBlock(nn.Module):
    """Attention and a perceptron, each behind a normalisation and beside a shortcut."""

    def __init__(self, dimension: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(dimension)
        self.qkv = nn.Linear(dimension, 3 * dimension)
        self.proj = nn.Linear(dimension, dimension)
        self.norm2 = nn.LayerNorm(dimension)
        self.mlp = nn.Sequential(nn.Linear(dimension, 4 * dimension), nn.GELU(), nn.Linear(4 * dimension, dimension))

    def forward(self, x: Tensor) -> Tensor:
        """The tokens ``(B, tokens, D)`` after the block."""
        # Attention is written out, because fused attention has no second derivative.
        query, key, value = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = (query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5).softmax(dim=-1)
        x = x + self.proj((weights @ value).transpose(1, 2).flatten(2))
        tokens: Tensor = x + self.mlp(self.norm2(x))
        return tokens


class VisionTransformer(nn.Module):
    """Four blocks over patches of an eighth of the side, averaged tokens, one fully connected layer."""

    def __init__(self, classes: int, size: int, width: int) -> None:
        """``size`` is the side of the square images, in pixels; ``width`` the tokens' dimension, in 32s."""
        super().__init__()
        patch = size // 8
        self.embed = nn.Conv2d(3, width, patch, stride=patch)
        self.positions = AddedPositions((size // patch) ** 2, width)
        self.blocks = nn.Sequential(*(TransformerBlock(width, width // 32) for _ in range(4)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, classes)`` of images ``(B, 3, size, size)``."""
        tokens = self.embed(images).flatten(2).transpose(1, 2)
        logits: Tensor = self.head(self.norm(self.blocks(self.positions(tokens))).mean(dim=1))
        return logits
