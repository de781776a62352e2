"""Images from an .npz archive that holds arrays of images and labels for one split or for several."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidDataset
from semsim.images import RGBImage
from semsim_training.client_images.folder import square
from semsim_training.client_images.labelled import LabelledImages


def load_archive(path: Path, size: int, split: str, class_names: Sequence[str] | None = None) -> LabelledImages:
    """The arrays ``<split>_images`` uint8 ``(N, H, W, 3)`` and ``<split>_labels`` ``(N,)`` of an archive.

    Classes have the names ``class_names``, those in the archive's array ``classes``, or their numbers.

    Raises:
        InvalidDataset: no such file, other arrays, or a label that ``class_names`` has no name for.
    """
    images, labels, classes = _arrays(path, split)
    if class_names is not None:
        classes = tuple(class_names)
        if int(labels.max()) >= len(classes):
            raise InvalidDataset(f"expected labels below {len(classes)}, the named classes, got {int(labels.max())}")
    return LabelledImages(
        name=f"{path.stem}/{split}",
        images=np.stack([square(image, size) for image in images]),
        labels=labels,
        classes=classes or tuple(str(label) for label in range(int(labels.max()) + 1)),
        identifiers=tuple(f"{split}/{index}" for index in range(len(images))),
    )


def archived_images(path: Path, size: int, split: str, identifiers: Iterable[str]) -> dict[str, RGBImage]:
    """The images by these names, as far as the archive holds them, with the errors of :func:`load_archive`."""
    images, _, _ = _arrays(path, split)
    places = {f"{split}/{index}": index for index in range(len(images))}
    return {name: square(images[places[name]], size) for name in identifiers if name in places}


def _arrays(path: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """The images, the labels and the names of the classes, if the archive has these."""
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
    return images, labels.astype(np.int64), classes
