"""The way back from normalised float tensors, which attacks produce, to images."""

import reprlib
from collections.abc import Sequence
from typing import Any

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
    array = _viewed(tensor)
    if array.ndim != 4 or array.shape[1] != 3 or 0 in array.shape[2:]:
        raise InvalidTensor(f"expected a tensor (N, 3, H, W), got shape {array.shape}")
    if array.dtype.kind != "f":
        raise InvalidTensor(f"expected floating point, got {array.dtype}; uint8 images need no conversion")
    low, high = map(float, _finite("value_range", value_range, 2))
    if not 0 < high - low < np.inf:
        raise InvalidTensor(f"expected value_range (low, high) with low < high, got {value_range}")
    channel_mean, channel_std = (_finite(*of, 3).reshape(1, 3, 1, 1) for of in (("mean", mean), ("std", std)))
    if (channel_std <= 0).any():
        raise InvalidTensor(f"expected three positive std, got {tuple(std)}")
    if not np.isfinite(array).all():
        bad = np.flatnonzero(~np.isfinite(array).all(axis=(1, 2, 3)))
        raise InvalidTensor(f"expected finite values, got NaN or infinity in items {bad[:8].tolist()}")
    pixels = array.astype(np.float64) * channel_std + channel_mean
    levels = np.rint((pixels - low) * (255.0 / (high - low))).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(0, 2, 3, 1))


def _viewed(values: ArrayLike) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # NumPy's errors, and those of what it is given
        raise InvalidTensor(
            "expected a dense tensor that NumPy can view, such as tensor.detach().float().cpu(), "
            f"got {type(values).__name__}: {error}"
        ) from error


def _finite(name: str, values: Sequence[float], count: int) -> NDArray[np.float64]:
    array = _viewed(values)
    if array.shape != (count,) or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise InvalidTensor(f"expected {count} finite numbers for {name}, got {reprlib.repr(values)}")
    return array.astype(np.float64)
