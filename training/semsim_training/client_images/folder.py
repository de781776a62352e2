"""Images from folders, one for each class."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from semsim.exceptions import InvalidDataset, InvalidImage
from semsim.images import RGBImage, decode, resize
from semsim_training.client_images.labelled import LabelledImages

_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})


def square(image: RGBImage, size: int) -> RGBImage:
    """The centre square of an image, resized to ``(size, size, 3)``."""
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    return resize(image[top : top + side, left : left + side], size, size)


def load_folder(root: Path, size: int, name: str | None = None) -> LabelledImages:
    """Every image below ``root/<class>/``, classes and files in the order of their names.

    Raises:
        InvalidDataset: no class folders, a class without images, or a file that cannot be read, by name.
    """
    _check_folder(root)
    classes = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(classes) < 2:
        raise InvalidDataset(f"expected at least two class folders below {root}, got {len(classes)}")
    images, labels, identifiers = [], [], []
    for label, folder in enumerate(classes):
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
        if not paths:
            raise InvalidDataset(f"expected PNG, JPEG or WebP files below {folder}, got none")
        for path in paths:
            images.append(_read(path, size))
            labels.append(label)
            identifiers.append(path.relative_to(root).as_posix())
    return LabelledImages(
        name=name or root.name,
        images=np.stack(images),
        labels=np.asarray(labels, dtype=np.int64),
        classes=tuple(path.name for path in classes),
        identifiers=tuple(identifiers),
    )


def folder_images(root: Path, size: int, identifiers: Iterable[str]) -> dict[str, RGBImage]:
    """The images by these names, as far as they are below ``root``.

    Raises:
        InvalidDataset: no such folder, or a file that cannot be read, by name.
    """
    _check_folder(root)
    return {name: _read(root / name, size) for name in identifiers if (root / name).is_file()}


def _check_folder(root: Path) -> None:
    if not root.is_dir():
        raise InvalidDataset(f"expected a folder of class folders, got {root}")


def _read(path: Path, size: int) -> RGBImage:
    try:
        return square(decode(path), size)
    except InvalidImage as error:
        raise InvalidDataset(f"expected a readable image at {path}: {error}") from error
