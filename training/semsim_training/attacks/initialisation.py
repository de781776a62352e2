"""The first candidates of a search."""

from enum import StrEnum

import torch
from torch import Tensor


class Initialisation(StrEnum):
    """The kinds of first candidates, in normalised values."""

    NORMAL = "normal"
    ZEROS = "zeros"
    UNIFORM = "uniform"
    PATTERNED = "patterned"
    """A random 4x4 tile, repeated (Wei et al., ESORICS 2020)."""


def initial(kind: Initialisation, shape: tuple[int, ...], seed: int) -> Tensor:
    """One first candidate of ``shape`` ``(images, C, H, W)``: a function of the seed alone."""
    rng = torch.Generator().manual_seed(seed)
    match kind:
        case Initialisation.ZEROS:
            return torch.zeros(shape, dtype=torch.float64)
        case Initialisation.UNIFORM:
            return torch.rand(shape, generator=rng, dtype=torch.float64) * 2 - 1
        case Initialisation.PATTERNED:
            tile = torch.randn((*shape[:-2], 4, 4), generator=rng, dtype=torch.float64)
            tiles = (-(-shape[-2] // 4), -(-shape[-1] // 4))
            return tile.repeat(*(1 for _ in shape[:-2]), *tiles)[..., : shape[-2], : shape[-1]].contiguous()
        case Initialisation.NORMAL:
            return torch.randn(shape, generator=rng, dtype=torch.float64)
