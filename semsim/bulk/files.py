"""The files below a directory: the images that can be scored, and whatever is skipped."""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from semsim.bulk.bystanders import left_by_a_desktop, why_skipped
from semsim.exceptions import InvalidImage, UnmatchedImages, UnreadableFile

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})


@dataclass(frozen=True, slots=True)
class Directories:
    """The directory of originals and that of reconstructions."""

    originals: Path
    reconstructions: Path

    def files(self, pair: tuple[Path, Path]) -> tuple[Path, Path]:
        """The files of a pair of paths that are relative to the two directories."""
        return self.originals / pair[0], self.reconstructions / pair[1]


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file or folder that is not scored and that may hold an image."""

    path: Path
    """The path relative to its directory."""
    reason: InvalidImage


@dataclass(frozen=True, slots=True)
class Listing:
    """The files below one directory, sorted by their paths relative to it."""

    images: tuple[Path, ...]
    """Files named as PNG, JPEG or WebP."""
    skipped: tuple[SkippedFile, ...]
    """All others that are not known to hold no image: other formats and names, files of no known kind, links that lead
    nowhere, pipes, and folders that cannot be read."""
    left_by_desktops: tuple[Path, ...] = ()
    """Files that macOS and Windows leave beside images, such as ``._a.png``, by name and content. They are ignored."""

    def since(self, before: "Listing") -> tuple[SkippedFile, ...]:
        """The files that came into the directory after the listing ``before``, as skipped ones."""
        known = {*before.images, *(one.path for one in before.skipped)}
        reason = UnreadableFile("expected a directory that nobody writes to while it is scored, got a new file")
        there = sorted({*self.images, *(one.path for one in self.skipped)} - known)
        return tuple(SkippedFile(path, reason) for path in there)


def list_images(directory: Path) -> Listing:
    """List what is below ``directory``; links to directories are followed.

    Raises:
        UnmatchedImages: no such directory, or no image in it.
    """
    if not directory.is_dir():
        raise UnmatchedImages(f"expected a directory of images, got {directory}")
    listing = list_files(directory)
    if not listing.images:
        others = "none"
        if listing.skipped:
            first = listing.skipped[0]
            others = f"none, but {len(listing.skipped)} others, such as {first.path}: {first.reason}"
        raise UnmatchedImages(f"expected PNG, JPEG or WebP files below {directory}, got {others}")
    return listing


def list_files(directory: Path) -> Listing:
    """List what is below ``directory``, which may be nothing; links to directories are followed."""
    images: list[Path] = []
    skipped: list[SkippedFile] = []
    left: list[Path] = []
    for path, outcome in _walk(directory, frozenset()):
        relative = path.relative_to(directory)
        if isinstance(outcome, InvalidImage):
            skipped.append(SkippedFile(relative, outcome))
        else:
            (images if outcome is _Kind.IMAGE else left).append(relative)
    return Listing(tuple(sorted(images)), tuple(sorted(skipped, key=lambda one: one.path)), tuple(sorted(left)))


class _Kind(Enum):
    IMAGE = auto()
    LEFT_BY_A_DESKTOP = auto()


def _walk(directory: Path, above: frozenset[tuple[int, int]]) -> Iterator[tuple[Path, _Kind | InvalidImage]]:
    """Yield the paths below ``directory``, skipped ones with the reason; ``above`` are the inodes of its parents."""
    try:
        status = directory.stat()
        entries = list(directory.iterdir())
    except OSError as error:
        yield directory, _unreadable(error)
        return
    inode = (status.st_dev, status.st_ino)
    if inode in above:
        return  # a link to a directory that it lies in, whose images are listed there
    for path in entries:
        try:
            mode = path.stat().st_mode
            if stat.S_ISDIR(mode):
                yield from _walk(path, above | {inode})
            elif not stat.S_ISREG(mode):
                yield path, UnreadableFile("expected a regular file, got a pipe, a socket or a device")
            elif left_by_a_desktop(path):
                yield path, _Kind.LEFT_BY_A_DESKTOP
            elif path.suffix.lower() in IMAGE_SUFFIXES:
                yield path, _Kind.IMAGE
            elif (reason := why_skipped(path)) is not None:
                yield path, reason
        except OSError as error:
            yield path, _unreadable(error)


def _unreadable(error: OSError) -> UnreadableFile:
    return UnreadableFile(f"expected a readable file or folder, got {error.strerror or type(error).__name__}")
