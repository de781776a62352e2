"""Weights for LPIPS that need no download."""

from pathlib import Path

import torch
from safetensors.torch import save_file

WIDTHS, KERNELS, INDICES = (3, 64, 192, 384, 256, 256), (11, 5, 3, 3, 3), (0, 3, 6, 8, 10)


def random_weights(path: Path) -> Path:
    """Write random weights of the right shapes and return where."""
    torch.manual_seed(0)
    state = {}
    for layer, index in enumerate(INDICES):
        taken, given = WIDTHS[layer], WIDTHS[layer + 1]
        state[f"features.{index}.weight"] = torch.randn(given, taken, KERNELS[layer], KERNELS[layer]) * 0.03
        state[f"features.{index}.bias"] = torch.randn(given) * 0.1
        state[f"heads.lin{layer}.model.1.weight"] = torch.rand(1, given, 1, 1)
    save_file(state, path)
    return path
