"""Images are told apart by their content, whatever their size."""

import zlib

import numpy as np
import pytest

from semsim.distinct import distinct
from tests.encoded import picture


@pytest.mark.parametrize("side", [16, 300])
def test_equal_images_share_a_row(side: int) -> None:
    """Copies, views and the same object have one row; another image, and another shape of the same bytes, have not."""
    first, second = picture(side, side), picture(side, side, seed=1)
    images = [first, second, first.copy(), first, second[::-1], second[::-1].copy(), first.reshape(side // 2, -1, 3)]
    rows, unique = distinct(images)
    assert rows == [0, 1, 0, 0, 2, 2, 3]
    for row, image in zip(rows, images, strict=True):
        np.testing.assert_array_equal(unique[row], image)


def test_large_images_of_one_checksum_are_told_apart() -> None:
    """A checksum finds equal images. It does not make two images equal."""
    image = np.zeros((200, 200, 3), dtype=np.uint8)
    other = image.copy()
    polynomial = np.packbits(np.array([int(bit) for bit in f"{0x104C11DB7:033b}"] + [0] * 7), bitorder="little")
    other.reshape(-1)[50 : 50 + len(polynomial)] = polynomial[: len(polynomial)]
    assert zlib.crc32(image.data) == zlib.crc32(other.data)
    assert distinct([image, other])[0] == [0, 1]
