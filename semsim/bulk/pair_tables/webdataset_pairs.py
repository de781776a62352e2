"""Pairs in a shard of a WebDataset: a tar in which the files of a pair stand together and share a key.

The key of ``a/7.original.png`` is ``a/7``, and its extension is ``original.png``: a name is cut at its first dot.
"""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from semsim.bulk.files import IMAGE_SUFFIXES
from semsim.bulk.pair_tables.location import Location
from semsim.bulk.pair_tables.read_pair import PairNames, ReadPair, unreadable
from semsim.exceptions import ErrorCode
from semsim.images import DecodeLimits
from semsim.pairs import PairFailure

_BUFFER = 8 * 2**20
"""Bytes that are read at once: headers alone would be one request each to an object store."""
_END = 2 * tarfile.BLOCKSIZE
"""The zeros that end an archive, at least, in bytes."""


@dataclass(frozen=True, slots=True)
class WebDatasetShard:
    """One tar."""

    file: Location
    names: PairNames
    limits: DecodeLimits

    def pairs(self) -> Iterator[ReadPair]:
        """The pair of each key in order; a key without one whole pair, and whatever is damaged, is a failure."""
        row = 0
        try:
            with (
                self.file.open() as source,
                io.BufferedReader(source, _BUFFER) as buffered,
                tarfile.open(fileobj=buffered, mode="r:") as archive,
            ):
                files = (member for member in archive if not member.isdir())
                for key, members in groupby(files, key=lambda member: _key(member.name)):
                    yield self._pair(archive, row, key, list(members))
                    row += 1
                _require_end(archive, buffered)
        except (tarfile.TarError, OSError) as error:
            yield ReadPair(None, None, unreadable(error))

    def _pair(self, archive: tarfile.TarFile, row: int, key: str, members: list[tarfile.TarInfo]) -> ReadPair:
        sides = [
            [one for one in members if _is_called(_extension(one.name), name)]
            for name in (self.names.original, self.names.reconstruction)
        ]
        others = [one for one in members if one not in (*sides[0], *sides[1]) and _may_hold_image(one)]
        if any(len(side) != 1 or not side[0].isreg() for side in sides):
            there = ", ".join(_extension(one.name) for one in members)
            failure = PairFailure(
                ErrorCode.INVALID_PAIR,
                f"expected one file {self.names.original} and one {self.names.reconstruction} of a key, got {there}",
            )
            return ReadPair(row, key, failure, len(others))
        original, reconstruction = (self._read(archive, side[0]) for side in sides)
        return ReadPair(row, key, (original, reconstruction), len(others))

    def _read(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
        file = archive.extractfile(member)
        # One byte more than the limit is enough for the decoder to refuse it.
        data = b"" if file is None else file.read(self.limits.max_bytes + 1)
        if len(data) < min(member.size, self.limits.max_bytes + 1):
            raise tarfile.ReadError(f"{member.name} cut short")
        return data


def _require_end(archive: tarfile.TarFile, source: io.BufferedReader) -> None:
    """Look behind the last member for the zeros that end an archive, and nothing else.

    Python's reader takes a cut or a damaged header for the end, and passes over a second archive behind the first.

    Raises:
        TarError: there is something else, or there are no zeros.
    """
    source.seek(archive.offset)
    zeros = 0
    while rest := source.read(_BUFFER):
        if any(rest):
            raise tarfile.ReadError("a damaged header, or another archive, behind the last file")
        zeros += len(rest)
    if zeros < _END:
        raise tarfile.ReadError("no end of the archive behind the last file")


def _key(name: str) -> str:
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(".")[0]


def _extension(name: str) -> str:
    return name.rpartition("/")[2].partition(".")[2]


def _is_called(extension: str, name: str) -> bool:
    return extension.lower() in {name.lower(), *(name.lower() + suffix for suffix in IMAGE_SUFFIXES)}


def _may_hold_image(member: tarfile.TarInfo) -> bool:
    return not member.isreg() or any(f".{member.name.lower()}".endswith(suffix) for suffix in IMAGE_SUFFIXES)
