"""Folders of images as an audit takes them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semsim.bulk.files import list_images
from semsim.exceptions import InvalidOption
from semsim.images import RGBImage, decode
from semsim_training.client_images.network_inputs import Inputs


def folder_of_images(folder: Path, *, whole: bool = False) -> list[RGBImage]:
    """The images of a folder in the order of their names, uint8 ``(H, W, 3)``.

    Raises:
        UnmatchedImages: the folder holds no image.
        InvalidOption: with ``whole``, a file that may hold an image cannot be taken.
        InvalidImage: a file cannot be decoded.
    """
    listing = list_images(folder)
    if whole and listing.skipped:
        first = listing.skipped[0]
        raise InvalidOption(f"expected only images in {folder}, got {first.path}: {first.reason}")
    return [decode(folder / path) for path in listing.images]


def client_images(folder: Path, inputs: Inputs) -> list[NDArray[np.uint8]]:
    """The client's images with the network's channels: ``(H, W, 1)`` for a network of greyscale images.

    Raises:
        InvalidOption: the folder holds something else, or a coloured image for such a network.
    """
    images: list[NDArray[np.uint8]] = []
    for image in folder_of_images(folder, whole=True):
        if inputs.channels == 1 and (image != image[..., :1]).any():
            raise InvalidOption(f"expected grey images in {folder} for a network of one channel, got a coloured one")
        images.append(image[..., : inputs.channels])
    return images
