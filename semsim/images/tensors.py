"""The way back from normalised float tensors, which attacks produce, to images."""

import math
import reprlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semsim.exceptions import InvalidTensor
from semsim.images.in_memory import TensorLike
from semsim.images.limits import DEFAULT_LIMITS

_MOST = 3 * 2**28
"""The values of a tensor, and so the bytes of its images."""
_AT_ONCE = 2**21
"""The values that are converted at once, in float64."""


def images_from_tensor(
    tensor: ArrayLike, *, mean: Sequence[float], std: Sequence[float], value_range: tuple[float, float]
) -> NDArray[np.uint8]:
    """Undo a classifier's normalisation: floats ``(N, C, H, W)``, C = 1 or 3, to uint8 ``(N, H, W, 3)``.

    ``tensor * std + mean`` is mapped from ``value_range`` to 0..255, rounded, and clipped, since an optimiser
    overshoots. The range must be given because the values do not show it: a dark image in 0..255 looks like a
    bright one in 0..1. One channel becomes three equal ones.

    Args:
        tensor: anything that numpy can view, or a tensor of torch, of any floating-point type, on any device, with or
            without a gradient.
        mean: the means of the C channels, in units of ``value_range``.
        std: the standard deviations of the C channels, in units of ``value_range``, positive.
        value_range: black and white before normalisation, such as ``(0.0, 1.0)`` or ``(0.0, 255.0)``.

    Raises:
        InvalidTensor: the shape, type, statistics or range is wrong, or a value is not finite.
    """
    array = _viewed(tensor)
    most = DEFAULT_LIMITS.max_pixels
    if array.ndim != 4 or array.shape[1] not in (1, 3) or not 0 < math.prod(array.shape[2:]) <= most:
        raise InvalidTensor(
            f"expected a tensor (N, 3, H, W) or (N, 1, H, W) of at most {most} pixels an image, got shape {array.shape}"
        )
    if array.size > _MOST:  # a view that repeats an image may have any number of them
        raise InvalidTensor(f"expected at most {_MOST} values at once, got shape {array.shape}")
    if array.dtype.kind != "f":
        raise InvalidTensor(f"expected floating point, got {array.dtype}; uint8 images need no conversion")
    low, high = map(float, _finite("value_range", value_range, 2))
    if not 0 < high - low < np.inf:
        raise InvalidTensor(f"expected value_range (low, high) with low < high, got {value_range}")
    count, channels, height, width = array.shape
    statistics = (_finite(name, values, channels) for name, values in (("mean", mean), ("std", std)))
    channel_mean, channel_std = (values.reshape(1, channels, 1, 1) for values in statistics)
    if (channel_std <= 0).any():
        raise InvalidTensor(f"expected positive std, got {tuple(std)}")
    images = np.empty((count, height, width, 3), dtype=np.uint8)
    bad: list[int] = []
    step = max(1, _AT_ONCE // (3 * height * width))
    for start in range(0, count, step):
        with np.errstate(over="ignore", invalid="ignore"):
            pixels = array[start : start + step].astype(np.float64) * channel_std + channel_mean
            levels = (pixels - low) * (255.0 / (high - low))
            bad += (start + np.flatnonzero(~np.isfinite(levels).all(axis=(1, 2, 3)))).tolist()
            images[start : start + step] = np.rint(levels).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    if bad:
        raise InvalidTensor(f"expected finite values, got NaN, infinity or an overflow in items {bad[:8]}")
    return images


def _viewed(values: ArrayLike) -> NDArray[Any]:
    try:
        if isinstance(values, TensorLike):
            return _detached(values)
        for shape in _shapes(values) if isinstance(values, list | tuple) else ():
            if math.prod(shape) > 3 * DEFAULT_LIMITS.max_pixels:  # it may be a view that repeats a value
                raise InvalidTensor(f"expected a list of arrays no larger than an image (3, H, W), got shape {shape}")
        return np.asarray(values)
    except (AttributeError, ValueError, TypeError, RuntimeError, MemoryError) as error:  # also of what NumPy is given
        raise InvalidTensor(
            "expected a dense tensor that NumPy can view, such as tensor.detach().float().cpu(), "
            f"got {type(values).__name__}: {error}"
        ) from error


def _detached(tensor: TensorLike) -> NDArray[Any]:
    """The values of a tensor in a type that NumPy has: it has no bfloat16."""
    values = tensor.detach().cpu()
    try:
        return np.asarray(values.numpy())
    except TypeError:
        if math.prod(values.shape) > _MOST:  # it may be a view that repeats a value
            raise
        return np.asarray(values.float().numpy())


def _shapes(values: object) -> Iterator[tuple[int, ...]]:
    """The shapes of the arrays in a list, however deep; NumPy makes one array of them."""
    if isinstance(values, list | tuple):
        for value in values:
            yield from _shapes(value)
    elif isinstance(shape := getattr(values, "shape", None), tuple):
        yield shape


def _finite(name: str, values: Sequence[float], count: int) -> NDArray[np.float64]:
    array = _viewed(values)
    if array.shape == (count,) and array.dtype.kind in "iuf":
        with np.errstate(over="ignore"):
            numbers = array.astype(np.float64)
        if np.isfinite(numbers).all():
            return numbers
    raise InvalidTensor(f"expected {count} finite numbers for {name}, got {reprlib.repr(values)}")
