"""The reconstruction of each original of a batch, whose order an attack does not know."""

import numpy as np
from numpy.typing import NDArray


def partners(originals: NDArray[np.uint8], reconstructions: NDArray[np.uint8]) -> list[int]:
    """The index of each original's reconstruction, both ``(images, H, W, C)``, by the least squared error in all."""
    if len(originals) == 1:
        return [0]
    from scipy.optimize import linear_sum_assignment  # a second of import in every process

    flat = [images.reshape(len(images), -1).astype(np.float64) for images in (originals, reconstructions)]
    # Row by row: all differences at once take 15 GB for 800 images of 32 pixels.
    costs = np.stack([((original - flat[1]) ** 2).mean(axis=1) for original in flat[0]])
    return [int(column) for column in linear_sum_assignment(costs)[1]]
