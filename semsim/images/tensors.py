"""The way back from normalised float tensors, which attacks produce, to images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semsim.exceptions import InvalidTensor


def images_from_tensor(
    tensor: ArrayLike, *, mean: Sequence[float], std: Sequence[float], value_range: tuple[float, float]
) -> NDArray[np.uint8]:
    """Undo a classifier's normalisation: floats ``(N, 3, H, W)`` to uint8 ``(N, H, W, 3)``.

    ``tensor * std + mean`` is mapped from ``value_range`` to 0..255, rounded, and clipped, since an optimiser
    overshoots. The range must be given because the values do not show it: a dark image in 0..255 looks like a
    bright one in 0..1.

    Args:
        tensor: anything that numpy can view, such as a torch tensor on the CPU that needs no gradient.
        mean: three per-channel means, in units of ``value_range``.
        std: three per-channel standard deviations, in units of ``value_range``, positive.
        value_range: black and white before normalisation, such as ``(0.0, 1.0)`` or ``(0.0, 255.0)``.

    Raises:
        InvalidTensor: the shape, type, statistics or range is wrong, or a value is not finite.
    """
    array = np.asarray(tensor)
    if array.ndim != 4 or array.shape[1] != 3 or 0 in array.shape[2:]:
        raise InvalidTensor(f"expected a tensor (N, 3, H, W), got shape {array.shape}")
    if array.dtype.kind != "f":
        raise InvalidTensor(f"expected floating point, got {array.dtype}; uint8 images need no conversion")
    low, high = value_range
    if not (np.isfinite((low, high)).all() and low < high):
        raise InvalidTensor(f"expected value_range (low, high) with low < high, got {value_range}")
    channel_mean, channel_std = _statistics("mean", mean), _statistics("std", std)
    if (channel_std <= 0).any():
        raise InvalidTensor(f"expected three positive std, got {tuple(std)}")
    if not np.isfinite(array).all():
        bad = np.flatnonzero(~np.isfinite(array).all(axis=(1, 2, 3)))
        raise InvalidTensor(f"expected finite values, got NaN or infinity in items {bad[:8].tolist()}")
    pixels = array.astype(np.float64) * channel_std + channel_mean
    levels = np.rint((pixels - low) * (255.0 / (high - low))).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(0, 2, 3, 1))


def _statistics(name: str, values: Sequence[float]) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (3,) or not np.isfinite(array).all():
        raise InvalidTensor(f"expected three finite values for {name}, got {tuple(values)}")
    return array.reshape(1, 3, 1, 1)
