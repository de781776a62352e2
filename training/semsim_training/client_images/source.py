"""The sources of images, as a configuration names them."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from semsim.images import RGBImage
from semsim_training.client_images.archive import archived_images, load_archive
from semsim_training.client_images.folder import folder_images, load_folder
from semsim_training.client_images.labelled import LabelledImages
from semsim_training.client_images.published import load_published, published_images
from semsim_training.configuration import FrozenModel, expanded
from semsim_training.seeds import stable_hash


class ImageSource(FrozenModel):
    """A folder of class folders, an .npz archive, or a data set of torchvision.

    Paths may name variables: ``$SEMSIM_DATA``.
    """

    folder: Path | None = None
    """A folder with a folder of PNG, JPEG or WebP files for each class."""
    archive: Path | None = None
    """An .npz file with ``train_images``, ``train_labels``, ``test_images`` and ``test_labels``."""
    published: str | None = None
    """A name in torchvision, for which ``root`` says where it lies; or ``digits``, which come with scikit-learn."""
    root: Path = Path("data")
    """The folder of a data set of torchvision."""
    download: bool = False
    """True to let torchvision download what is not there."""
    split: Literal["train", "test"] = "train"
    """The split of an archive or a published data set, or the one that ``test_share`` makes."""
    test_share: float = Field(default=0.0, ge=0.0, lt=1.0)
    """The share of images held out, chosen by their names, of data without a split of its own."""
    name: str | None = None
    """The data set's name where its images are in a folder; ``None`` for the folder's own."""
    class_names: tuple[str, ...] | None = Field(default=None, exclude_if=lambda value: value is None)
    """The names of an archive's classes, in the order of its labels, where the archive does not hold them itself."""
    size: int = Field(ge=16, le=512)
    """Images are cut to their centre square and resized to this side, in pixels."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.folder, self.archive, self.published)) != 1:
            raise ValueError("expected one of folder, archive and published")
        if self.class_names is not None and self.archive is None:
            raise ValueError("expected class_names with an archive alone, whose classes may have no names")
        return self

    @property
    def dataset(self) -> str:
        """The name of the data set that :meth:`load` reads."""
        place = Path(os.path.expandvars(self.place))
        if self.folder is not None:
            return self.name or place.name
        return f"{self.published or place.stem}/{self.split}"

    @property
    def place(self) -> Path:
        """The folder or file that holds the images, with its variables as they were written."""
        return self.folder or self.archive or self.root

    def load(self) -> LabelledImages:
        """Read the images.

        Raises:
            InvalidDataset: they are not there, or not readable.
        """
        loaded = self._load()
        if not self.test_share:
            return loaded
        held_out = [stable_hash(name) % 10_000 < self.test_share * 10_000 for name in loaded.identifiers]
        return loaded.take(np.flatnonzero(np.asarray(held_out) == (self.split == "test")))

    def named(self, identifiers: Iterable[str]) -> dict[str, RGBImage]:
        """Read only the images of these names; those that the source does not hold are left out.

        Raises:
            InvalidDataset: the source is not there, or an image is not readable.
        """
        place = expanded(self.place)
        if self.folder is not None:
            return folder_images(place, self.size, identifiers)
        if self.archive is not None:
            return archived_images(place, self.size, self.split, identifiers)
        return published_images(
            str(self.published), place, self.size, identifiers, split=self.split, download=self.download
        )

    def _load(self) -> LabelledImages:
        place = expanded(self.place)
        if self.folder is not None:
            return load_folder(place, self.size, self.name)
        if self.archive is not None:
            return load_archive(place, self.size, self.split, self.class_names)
        return load_published(str(self.published), place, self.size, split=self.split, download=self.download)


class ImageChoice(ImageSource):
    """Some images of a source, chosen by names and seed, classes as even as can be."""

    count: int = Field(ge=1)
    """The number of images to choose."""
    classes: Annotated[int, Field(ge=1)] | tuple[str, ...] | None = None
    """The number of classes to choose from, or their names; ``None`` for all."""
    seed: int = 0
    """The seed of the choice."""

    def load(self) -> LabelledImages:
        """Read the source and choose; fewer images than ``count`` where it does not hold more.

        Raises:
            InvalidDataset: the images are not there or not readable, or a class is not there.
        """
        return super().load().spread(self.count, self.seed, self.classes)
