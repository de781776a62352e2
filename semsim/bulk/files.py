"""Which files below a directory are images, and which of them are passed over."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from semsim.exceptions import NotAnImage, UnmatchedImages, UnsupportedFormat
from semsim.images.formats import sniff

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
_MAGIC_BYTES = 16


@dataclass(frozen=True, slots=True)
class Listing:
    """Paths relative to one directory, sorted."""

    images: tuple[Path, ...]
    """Files named as PNG, JPEG or WebP."""
    skipped: tuple[Path, ...]
    """Images of another name or format, links that lead nowhere, and what cannot be looked into."""


def list_images(directory: Path) -> Listing:
    """Everything below ``directory``, through links to directories, too.

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
    """The images below ``directory`` with True, what is skipped with False; ``above`` are its parents' inodes."""
    try:
        status = directory.stat()
        entries = list(directory.iterdir())
    except OSError:
        yield directory, False
        return
    inode = (status.st_dev, status.st_ino)
    if inode in above:
        return  # a link to a directory that it lies in: all of it is found there
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
    """Whether the content says image: notes and tables that lie beside the images are nobody's loss."""
    with path.open("rb") as file:
        start = file.read(_MAGIC_BYTES)
    try:
        sniff(start)
    except UnsupportedFormat:
        return True
    except NotAnImage:
        return False
    return True
