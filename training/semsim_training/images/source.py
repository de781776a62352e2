"""Where images come from, as a configuration says it."""

from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from semsim_training.configuration import expanded
from semsim_training.images.archive import load_archive
from semsim_training.images.folder import load_folder
from semsim_training.images.labelled import LabelledImages
from semsim_training.images.published import load_published
from semsim_training.seeds import stable_hash


class ImageSource(BaseModel):
    """A folder of class folders, an .npz archive, or a data set of torchvision.

    Paths may name variables: ``$SEMSIM_DATA``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path | None = None
    archive: Path | None = None
    published: str | None = None
    """A name in torchvision; ``root`` says where it lies."""
    root: Path = Path("data")
    download: bool = False
    split: Literal["train", "test"] = "train"
    """Of an archive or a published data set, or of ``test_share``."""
    test_share: float = Field(default=0.0, ge=0.0, lt=1.0)
    """For data without a split of its own: the share of images held out, chosen by their names."""
    name: str | None = None
    size: int = Field(ge=16, le=512)
    """Images are cut to their centre square and resized to this side, in pixels."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.folder, self.archive, self.published)) != 1:
            raise ValueError("expected one of folder, archive and published")
        return self

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

    def _load(self) -> LabelledImages:
        if self.folder is not None:
            return load_folder(expanded(self.folder), self.size, self.name)
        if self.archive is not None:
            return load_archive(expanded(self.archive), self.size, self.split)
        return load_published(
            str(self.published),
            expanded(self.root),
            self.size,
            train=self.split == "train",
            download=self.download,
        )
