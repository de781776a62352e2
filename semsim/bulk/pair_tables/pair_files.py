"""The files of a table of pairs, and the parts into which they are cut."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

import pyarrow

from semsim.bulk.pair_tables.location import Location, StoredFile
from semsim.bulk.pair_tables.parquet_pairs import ParquetSlice, UnreadableParquet, slices
from semsim.bulk.pair_tables.read_pair import PairNames
from semsim.bulk.pair_tables.table_part import TablePart
from semsim.bulk.pair_tables.webdataset_pairs import WebDatasetShard
from semsim.exceptions import UnmatchedImages
from semsim.images import DecodeLimits

_READERS = 16
"""Footers and heads that are read at once: an object store takes its time for each."""
_TEXTS = frozenset({"", ".txt", ".md", ".json", ".jsonl", ".yaml", ".yml", ".csv", ".html"})
"""The suffixes of texts that stand beside tables; README and .gitattributes have none."""
_CHECKSUMS = ".crc"
"""The suffix of Hadoop's checksums, which are no texts."""
_FOOTERS = frozenset({"_metadata", "_common_metadata"})
"""Files with the footers of others and no rows of their own."""
_TABLES = frozenset({".parquet", ".tar"})
_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class PairFiles:
    """A table of pairs: Parquet files and WebDataset shards, both of which may be there."""

    where: Location
    files: tuple[StoredFile, ...]
    skipped: tuple[StoredFile, ...]
    """Files that are neither, and that are not known to hold no image."""

    @classmethod
    def at(cls, where: Location) -> Self:
        """List the files at a location.

        Raises:
            UnmatchedImages: there is no Parquet file and no shard.
        """
        everything = where.files()
        files = tuple(file for file in everything if _is_table(file))
        others = [file for file in everything if not _is_table(file)]
        with ThreadPoolExecutor(_READERS) as pool:
            may_hold_pairs = pool.map(lambda file: _may_hold_pairs(where, file), others)
            skipped = tuple(file for file, may in zip(others, may_hold_pairs, strict=True) if may)
        if not files:
            got = f"none, but {len(skipped)} others, such as {skipped[0].path}" if skipped else "none"
            raise UnmatchedImages(f"expected .parquet files or .tar shards at {where.name}, got {got}")
        return cls(where, files, skipped)

    def parts(
        self, names: PairNames, most: int, limits: DecodeLimits, fail_above: float | None = None
    ) -> Sequence[TablePart]:
        """The files in parts of at most ``most`` pairs, but for shards, which are a part each.

        A Parquet file whose footer cannot be read is one part, which fails, and that is told in a row. The name
        of a part tells its file and its place there, so that the others keep theirs if it can be read the next time.
        Parts count their pairs above ``fail_above``.

        Raises:
            InvalidOption: a column is missing in a file, or its values are no images.
        """

        def cut(file: StoredFile) -> Sequence[ParquetSlice | UnreadableParquet | WebDatasetShard]:
            place = self.where.at(file)
            if _suffix(file) == ".tar":
                return [WebDatasetShard(place, names, limits)]
            try:
                return slices(place, names, most)
            except (pyarrow.ArrowException, OSError) as error:
                return [UnreadableParquet(str(error))]

        with ThreadPoolExecutor(_READERS) as pool:
            pieces = pool.map(cut, self.files)
            return [
                TablePart(f"part-{number:06}-{piece:05}.parquet", file, pairs, limits, fail_above)
                for number, (file, its) in enumerate(zip(self.files, pieces, strict=True))
                for piece, pairs in enumerate(its)
            ]


def _is_table(file: StoredFile) -> bool:
    return file.is_regular and _suffix(file) in _TABLES


def _may_hold_pairs(where: Location, file: StoredFile) -> bool:
    """True for what may be a table or an image under another name. Spark's mark ``_SUCCESS`` is empty."""
    if not file.is_regular or not file.size:
        return not file.is_regular
    if PurePosixPath(file.path).name in _FOOTERS or _suffix(file) == _CHECKSUMS:
        return False
    if _suffix(file) not in _TEXTS:
        return True
    try:
        with where.at(file).open() as opened:
            head = bytes(opened.read(_HEAD_BYTES))
    except (pyarrow.ArrowException, OSError):
        return True
    return head.startswith(b"PAR1") or b"\0" in head  # a download may have put .txt behind the name of a table


def _suffix(file: StoredFile) -> str:
    return PurePosixPath(file.path).suffix.lower()
