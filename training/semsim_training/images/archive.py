"""Images from an .npz archive of arrays ``images`` and ``labels``, for one split or for several."""

from pathlib import Path

import numpy as np

from semsim.exceptions import InvalidDataset
from semsim_training.images.folder import square
from semsim_training.images.labelled import LabelledImages


def load_archive(path: Path, size: int, split: str) -> LabelledImages:
    """The arrays ``<split>_images`` uint8 ``(N, H, W, 3)`` and ``<split>_labels`` ``(N,)`` of an archive.

    Raises:
        InvalidDataset: no such file, or other arrays.
    """
    try:
        with np.load(path) as archive:
            images, labels = archive[f"{split}_images"], archive[f"{split}_labels"]
            classes = tuple(str(name) for name in archive["classes"]) if "classes" in archive else ()
    except (OSError, KeyError, ValueError) as error:
        raise InvalidDataset(f"expected arrays {split}_images and {split}_labels in {path}: {error}") from error
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or labels.shape != images.shape[:1]:
        raise InvalidDataset(
            f"expected uint8 images (N, H, W, 3) and labels (N,) in {path}, "
            f"got {images.dtype} {images.shape} and {labels.shape}"
        )
    labels = labels.astype(np.int64)
    return LabelledImages(
        name=f"{path.stem}/{split}",
        images=np.stack([square(image, size) for image in images]),
        labels=labels,
        classes=classes or tuple(str(label) for label in range(int(labels.max()) + 1)),
        identifiers=tuple(f"{split}/{index}" for index in range(len(images))),
    )
