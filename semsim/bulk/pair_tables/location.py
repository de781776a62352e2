"""A place on a disk or in an object store, by pyarrow's file systems."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow
import pyarrow.fs

from semsim.exceptions import InvalidOption

UNFINISHED = ".writing"
"""The end of the name of a file that is being written."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a location, and what tells whether it changed."""

    path: str
    """The path relative to the location; the name alone where the location is this file."""
    size: int
    """Bytes."""
    modified_ns: int | None
    """The time of the last change; None where the file system keeps none."""
    is_regular: bool = True
    """False for links that lead nowhere, pipes and devices."""
    changed_ns: int | None = None
    """The time of the last change of the entry: a copy may keep the time of its content. None off the local disk."""


@dataclass(frozen=True, slots=True)
class Location:
    """A path of a pyarrow file system. It can be pickled, so that workers read for themselves."""

    filesystem: Any
    path: str

    @classmethod
    def of(cls, text: str) -> Self:
        """The location of a local path, or of a URI such as ``s3://bucket/folder`` or ``gs://bucket/folder``.

        Raises:
            InvalidOption: pyarrow has no file system for the URI.
        """
        if "://" not in text:
            return cls(pyarrow.fs.LocalFileSystem(), str(Path(text).absolute()))
        try:
            filesystem, path = pyarrow.fs.FileSystem.from_uri(text)
        except (pyarrow.ArrowException, OSError) as error:
            raise InvalidOption(f"expected a path or a URI of pyarrow's file systems, got {text}: {error}") from error
        return cls(filesystem, path.rstrip("/"))

    @property
    def name(self) -> str:
        """The location with the kind of its file system, as people and manifests name it."""
        return f"{self.filesystem.type_name}:{self.path}"

    def __truediv__(self, name: str) -> "Location":
        return Location(self.filesystem, f"{self.path}/{name}")

    def is_within(self, other: "Location") -> bool:
        """True for the same place, and for one below it."""
        return self.filesystem.equals(other.filesystem) and f"{self.path}/".startswith(f"{other.path}/")

    def is_file(self) -> bool:
        """True where a file is at the location."""
        return bool(self.filesystem.get_file_info(self.path).type == pyarrow.fs.FileType.File)

    def files(self) -> tuple[StoredFile, ...]:
        """The file at the location, or all below it that is no folder, sorted by path; none where nothing is there."""
        here = self.filesystem.get_file_info(self.path)
        if here.type == pyarrow.fs.FileType.File:
            return (StoredFile(here.base_name, here.size, here.mtime_ns, changed_ns=self._changed_ns(here.path)),)
        selector = pyarrow.fs.FileSelector(self.path, allow_not_found=True, recursive=True)
        below = [one for one in self.filesystem.get_file_info(selector) if one.type != pyarrow.fs.FileType.Directory]
        start, file = len(self.path) + 1, pyarrow.fs.FileType.File
        stored = [
            StoredFile(one.path[start:], one.size or 0, one.mtime_ns, one.type == file, self._changed_ns(one.path))
            for one in below
        ]
        lost = [StoredFile(path[start:], 0, None, is_regular=False) for path in self._lost_links()]
        return tuple(sorted(stored + lost, key=_path))

    def _changed_ns(self, path: str) -> int | None:
        """The time of the last change of an entry of a disk, which pyarrow does not tell; None where it is gone."""
        try:
            return Path(path).stat().st_ctime_ns if self.filesystem.type_name == "local" else None
        except OSError:
            return None

    def _lost_links(self) -> Iterator[str]:
        """The links of a disk that lead nowhere: pyarrow lists none of them."""
        for folder, _, names in os.walk(self.path, followlinks=True) if self.filesystem.type_name == "local" else ():
            yield from (path for name in names if not Path(path := f"{folder}/{name}").exists())

    def at(self, file: StoredFile) -> "Location":
        """The location of a file that :meth:`files` lists."""
        return self if self.path.endswith(f"/{file.path}") and self.is_file() else self / file.path

    def create_folder(self) -> None:
        """Make a folder of the location, and those above it, unless it is there."""
        self.filesystem.create_dir(self.path, recursive=True)

    def open(self) -> Any:
        """The file, to be read at any place."""
        return self.filesystem.open_input_file(self.path)

    def read(self) -> bytes | None:
        """The bytes of the file; None where there is none."""
        if not self.is_file():
            return None
        with self.open() as file:
            return bytes(file.read())

    def write(self, data: bytes) -> None:
        """Write the file into a folder at once, first under a name that readers of Parquet pass over."""
        folder, _, name = self.path.rpartition("/")
        partial = f"{folder}/_{name}{UNFINISHED}"
        with self.filesystem.open_output_stream(partial) as file:
            file.write(data)
        self.filesystem.move(partial, self.path)


def _path(file: StoredFile) -> str:
    return file.path
