"""A pair as a file of pairs holds it."""

from dataclasses import dataclass

from semsim.exceptions import ErrorCode
from semsim.images import RGBImage
from semsim.pairs import PairFailure


@dataclass(frozen=True, slots=True)
class ReadPair:
    """One pair of a file: its encoded images or its pixels, or the reason why there are none."""

    row: int | None
    """The place in the file, from 0; None for a failure of all that could not be read behind it."""
    id: str | None
    """The name that the file gives to the pair; None where it gives none."""
    images: tuple[bytes | RGBImage, bytes | RGBImage] | PairFailure
    others: int = 0
    """Files of the pair's key that may be images, and that are neither of the two."""

    @property
    def size(self) -> int:
        """The bytes of both images."""
        if isinstance(self.images, PairFailure):
            return 0
        return sum(len(image) if isinstance(image, bytes) else image.nbytes for image in self.images)


@dataclass(frozen=True, slots=True)
class PairNames:
    """The names by which a file of pairs tells its images."""

    original: str = "original"
    """A column of Parquet; in a WebDataset ``KEY.original.png``, or any suffix of an image, or the whole extension."""
    reconstruction: str = "reconstruction"
    id: str = "id"
    """A column of Parquet that names the pairs, if it is there. In a WebDataset the key does."""


def unreadable(reason: object) -> PairFailure:
    """The failure of pairs that a damaged file holds, or one that cannot be reached."""
    text = " ".join(str(reason).split())
    return PairFailure(ErrorCode.UNREADABLE_FILE, f"expected a file that can be read to its end, got {text}")
