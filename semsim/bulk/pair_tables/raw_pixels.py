"""Raw pixels in a column of Parquet: bytes or lists of integers, with the shape in a column beside them."""

from typing import Any

import numpy as np
import pyarrow

from semsim.exceptions import ErrorCode
from semsim.images import RGBImage
from semsim.pairs import PairFailure

SHAPE_SUFFIX = "_shape"
"""``original_shape`` holds the shapes ``(H, W)`` or ``(H, W, C)`` of raw pixels in ``original``."""


def is_list(kind: Any) -> bool:
    """True for the types of lists, of a fixed length or not."""
    types = pyarrow.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def holds_pixels(kind: Any) -> bool:
    """True for bytes, and for lists, nested or not, of integers."""
    if is_list(kind):
        while is_list(kind):
            kind = kind.value_type
        return bool(pyarrow.types.is_integer(kind))
    return bool(pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind))


def holds_shapes(kind: Any) -> bool:
    """True for lists of integers."""
    return is_list(kind) and bool(pyarrow.types.is_integer(kind.value_type))


def pixels(value: Any, shape: list[int] | None) -> RGBImage | PairFailure:
    """The array of a scalar of pyarrow, which is not null, in its shape; a failure where it does not have that shape.

    The decoder checks the shape itself: it takes ``(H, W)`` and 1, 3 or 4 channels.
    """
    if shape is None or any(side is None for side in shape):
        return _failure("a shape beside raw pixels", "null")
    if is_list(value.type):
        values = value.values
        while is_list(values.type):
            values = values.flatten()
        if values.null_count:
            return _failure("pixels that are numbers", "null")
        numbers = values.to_numpy(zero_copy_only=False)
    else:
        numbers = np.frombuffer(value.as_py(), dtype=np.uint8)
    if numbers.size != np.prod(shape, dtype=object) or min(shape, default=0) < 1:
        return _failure(f"the pixels of an image {tuple(shape)}", f"{numbers.size} values")
    if numbers.dtype != np.uint8 and (numbers.min() < 0 or numbers.max() > 255):
        return _failure("pixels from 0 to 255", f"{numbers.min()} to {numbers.max()}")
    image: RGBImage = numbers.astype(np.uint8).reshape(shape)
    return image


def _failure(expected: str, got: str) -> PairFailure:
    return PairFailure(ErrorCode.INVALID_ARRAY, f"expected {expected}, got {got}")
