"""Raw images of either protocol: the view of their bytes, and the claim of a request that holds them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidRequest
from semsim_service.core.claim import Claim

CHANNELS = 3


def view_images(pixels: bytes, count: int, height: int, width: int, name: str) -> NDArray[np.uint8]:
    """Images ``(count, height, width, 3)`` as a view of their bytes.

    Raises:
        InvalidRequest: the shape has no pixels, or another size than the bytes.
    """
    if min(count, height, width) < 1:
        raise InvalidRequest(f"expected {name} of at least 1x1x1, got {count}x{height}x{width}")
    expected = count * height * width * CHANNELS
    if len(pixels) != expected:
        raise InvalidRequest(
            f"expected {expected} bytes for {name} of {count}x{height}x{width}x{CHANNELS}, got {len(pixels)}"
        )
    return np.frombuffer(pixels, dtype=np.uint8).reshape(count, height, width, CHANNELS)


def claim_of_tensors(shapes: Sequence[tuple[int, int, int]]) -> Claim:
    """The claim of raw tensors of the shapes ``(N, H, W)``. A single image counts as often as it is used."""
    pairs = max(count for count, _, _ in shapes)
    return Claim(pairs, pairs * sum(height * width for _, height, width in shapes))
