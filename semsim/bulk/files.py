"""The images below a directory: those that can be scored, and those that are skipped."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from semsim.exceptions import NotAnImage, UnmatchedImages, UnsupportedFormat
from semsim.images.formats import sniff

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
_MAGIC_BYTES = 16


@dataclass(frozen=True, slots=True)
class Directories:
    """The directory of originals and that of reconstructions."""

    originals: Path
    reconstructions: Path

    def files(self, pair: tuple[Path, Path]) -> tuple[Path, Path]:
        """The files of a pair of paths that are relative to the two directories."""
        return self.originals / pair[0], self.reconstructions / pair[1]


@dataclass(frozen=True, slots=True)
class Listing:
    """The image files below one directory: paths relative to it, sorted."""

    images: tuple[Path, ...]
    """Files named as PNG, JPEG or WebP."""
    skipped: tuple[Path, ...]
    """Images of another name or format, links that lead nowhere, and folders that cannot be read."""


def list_images(directory: Path) -> Listing:
    """List the images below ``directory``; links to directories are followed.

    Raises:
        UnmatchedImages: no such directory, or no image in it.
    """
    if not directory.is_dir():
        raise UnmatchedImages(f"expected a directory of images, got {directory}")
    images: list[Path] = []
    skipped: list[Path] = []
    for path, is_image in _walk(directory, frozenset()):
        (images if is_image else skipped).append(path.relative_to(directory))
    if not images:
        others = f"none, but {len(skipped)} others, such as {min(skipped)}" if skipped else "none"
        raise UnmatchedImages(f"expected PNG, JPEG or WebP files below {directory}, got {others}")
    return Listing(tuple(sorted(images)), tuple(sorted(skipped)))


def _walk(directory: Path, above: frozenset[tuple[int, int]]) -> Iterator[tuple[Path, bool]]:
    """Yield images below ``directory`` with True, skipped paths with False; ``above`` are its parents' inodes."""
    try:
        status = directory.stat()
        entries = list(directory.iterdir())
    except OSError:
        yield directory, False
        return
    inode = (status.st_dev, status.st_ino)
    if inode in above:
        return  # a link to a directory that it lies in, whose images are listed there
    for path in entries:
        try:
            if path.is_dir():
                yield from _walk(path, above | {inode})
            elif path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
                yield path, True
            elif not path.is_file() or _holds_an_image(path):
                yield path, False
        except OSError:
            yield path, False


def _holds_an_image(path: Path) -> bool:
    """True where the content is an image's; notes and tables beside the images may be passed over in silence."""
    with path.open("rb") as file:
        start = file.read(_MAGIC_BYTES)
    try:
        sniff(start)
    except UnsupportedFormat:
        return True
    except NotAnImage:
        return False
    return True
