"""The originals of a set, which lie in the data sets that its grid names."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from semsim.exceptions import HashMismatch, InvalidDataset
from semsim.images import RGBImage
from semsim_training.client_images.source import ImageSource
from semsim_training.reconstructions.near_copies import pixels_sha256
from semsim_training.reconstructions.schema import ReconstructionRow


@dataclass(frozen=True, slots=True, eq=False)
class Originals:
    """Originals by the hash of their pixels. Those of a data set are read when one of them is first asked for."""

    sources: tuple[ImageSource, ...]
    names: Mapping[str, tuple[str, str]]
    """Data set and name of each original, by its hash."""
    _pixels: dict[str, RGBImage] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, rows: Iterable[ReconstructionRow], sources: Iterable[ImageSource]) -> Self:
        """The originals of some rows, to be read from ``sources``."""
        return cls(tuple(sources), {row.original_sha256: (row.dataset, row.image) for row in rows})

    def pixels(self, sha256: str) -> RGBImage:
        """The original with this hash, uint8 ``(H, W, 3)``. Private.

        Raises:
            InvalidDataset: its data set is not there, or does not hold it.
            HashMismatch: its data set holds another picture by its name.
        """
        if sha256 not in self._pixels:
            self._read(sha256)
        return self._pixels[sha256]

    def _read(self, sha256: str) -> None:
        """Read the data set of an original: all of its originals that the set needs, and no other images."""
        dataset, image = self.names[sha256]
        wanted = {name for source, name in self.names.values() if source == dataset}
        sources = [source for source in self.sources if source.dataset == dataset]
        if not sources:
            raise InvalidDataset(f"expected the data set {dataset} among the images of the set's grid, got none")
        named = [_named(source, wanted) for source in sources]
        self._pixels.update((pixels_sha256(picture), picture) for part in named for picture in part.values())
        if sha256 in self._pixels:
            return
        place = " or ".join(str(source.place) for source in sources)
        if any(image in part for part in named):
            raise HashMismatch(
                f"expected pixels of sha256 {sha256} for {image} of {dataset}, got others below {place}: "
                "another picture, or a library that decodes it otherwise"
            )
        raise InvalidDataset(f"expected the original {image} of {dataset} below {place}, got no such image")


def _named(source: ImageSource, names: Collection[str]) -> dict[str, RGBImage]:
    try:
        return source.named(names)
    except InvalidDataset as error:
        variables = ", ".join(re.findall(r"\$\{?(\w+)", str(source.place)))
        advice = f": set {variables} to the folder of the data sets" if variables else ""
        raise InvalidDataset(
            f"expected the originals of {source.dataset} below {source.place}{advice} ({error})"
        ) from error
