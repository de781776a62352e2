"""The distinct images among many."""

import zlib
from collections.abc import Hashable, Sequence

import numpy as np

from semsim.images import RGBImage

_SMALL_BYTES = 2**16
"""The bytes of an image that is its own key. Those of a larger one, up to 50 MB, are not copied for that."""


def distinct(images: Sequence[RGBImage]) -> tuple[list[int], list[RGBImage]]:
    """The row of each image among the distinct images, and these; images are compared by content, not by a hash."""
    rows_by_object: dict[int, int] = {}
    rows_by_key: dict[Hashable, list[int]] = {}
    unique: list[RGBImage] = []
    rows = []
    for image in images:
        row = rows_by_object.get(id(image))
        if row is None:
            alike = rows_by_key.setdefault(_key(image), [])
            # A large image has a checksum for a key, and a small one its content.
            row = next((row for row in alike if _is_small(image) or np.array_equal(unique[row], image)), len(unique))
            rows_by_object[id(image)] = row
            if row == len(unique):
                alike.append(row)
                unique.append(image)
        rows.append(row)
    return rows, unique


def _is_small(image: RGBImage) -> bool:
    return image.nbytes <= _SMALL_BYTES


def _key(image: RGBImage) -> Hashable:
    content = image.tobytes() if _is_small(image) else zlib.crc32(np.ascontiguousarray(image).data)
    return image.shape, content
