"""torchvision's data sets, downloaded where there is a network or read where they lie, and scikit-learn's digits."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from semsim.exceptions import InvalidDataset
from semsim.images import RGBImage
from semsim_training.client_images.folder import square
from semsim_training.client_images.labelled import LabelledImages


def _cifar(kind: str) -> Callable[[Path, bool, bool], Any]:
    def load(root: Path, train: bool, download: bool) -> Any:
        from torchvision import datasets

        return getattr(datasets, kind)(root, train=train, download=download)

    return load


def _imagenette(root: Path, train: bool, download: bool) -> Any:
    from torchvision import datasets

    split = "train" if train else "val"
    present = (root / "imagenette2-160").is_dir()
    return datasets.Imagenette(root, split=split, size="160px", download=download and not present)


def _caltech101(root: Path, train: bool, download: bool) -> Any:
    from torchvision import datasets

    return datasets.Caltech101(root, download=download)


def _celeba(root: Path, train: bool, download: bool) -> Any:
    from torchvision import datasets

    return datasets.CelebA(root, split="train" if train else "test", target_type="identity", download=download)


class _Digits:
    """scikit-learn's 1,797 grey digits of 8 x 8 pixels, which come with it."""

    classes = tuple(map(str, range(10)))

    def __init__(self, root: Path, train: bool, download: bool) -> None:
        from sklearn.datasets import load_digits

        digits = load_digits()
        self._images = (digits.images * (255 / 16)).round().astype(np.uint8)
        self._labels = digits.target

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.fromarray(self._images[index]), int(self._labels[index])


PUBLISHED = {
    "CIFAR10": _cifar("CIFAR10"),
    "CIFAR100": _cifar("CIFAR100"),
    "Imagenette": _imagenette,
    "Caltech101": _caltech101,
    "CelebA": _celeba,
    "digits": _Digits,
}
"""Caltech101 and digits have no split of their own: give a share for testing. CelebA's labels are identities."""


def load_published(name: str, root: Path, size: int, *, split: str, download: bool) -> LabelledImages:
    """A data set of torchvision, by its name there, or ``digits``.

    Raises:
        InvalidDataset: no such data set, or it is neither below ``root`` nor to be had.
    """
    source = _opened(name, root, split, download)
    images, labels = [], []
    for index in range(len(source)):
        image, label = source[index]
        images.append(square(np.asarray(image.convert("RGB")), size))
        labels.append(int(label))
    classes = getattr(source, "classes", None) or getattr(source, "categories", None)
    kinds, indices = np.unique(np.asarray(labels, dtype=np.int64), return_inverse=True)
    if classes is None:  # identities: numbered from one, with gaps
        labels, classes = indices.tolist(), [str(kind) for kind in kinds]
    return LabelledImages(
        name=f"{name}/{split}",
        images=np.stack(images),
        labels=np.asarray(labels, dtype=np.int64),
        classes=tuple(str(kind[0] if isinstance(kind, tuple) else kind) for kind in classes),
        identifiers=tuple(f"{split}/{index}" for index in range(len(source))),
    )


def published_images(
    name: str, root: Path, size: int, identifiers: Iterable[str], *, split: str, download: bool
) -> dict[str, RGBImage]:
    """The images by these names, as far as the data set holds them, with the errors of :func:`load_published`."""
    source = _opened(name, root, split, download)
    places = {f"{split}/{index}": index for index in range(len(source))}
    return {
        wanted: square(np.asarray(source[places[wanted]][0].convert("RGB")), size)
        for wanted in identifiers
        if wanted in places
    }


def _opened(name: str, root: Path, split: str, download: bool) -> Any:
    """Torchvision's data set, a sequence of images and labels."""
    if name not in PUBLISHED:
        raise InvalidDataset(f"expected one of {', '.join(PUBLISHED)}, got {name}")
    try:
        return PUBLISHED[name](root, split == "train", download)
    except (RuntimeError, OSError) as error:
        raise InvalidDataset(f"expected the data set {name} below {root}: {error}") from error
