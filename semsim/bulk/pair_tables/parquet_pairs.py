"""Pairs in the rows of a Parquet file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow
import pyarrow.parquet

from semsim.bulk.pair_tables.location import Location
from semsim.bulk.pair_tables.raw_pixels import SHAPE_SUFFIX, holds_pixels, holds_shapes, pixels
from semsim.bulk.pair_tables.read_pair import PairNames, ReadPair, unreadable
from semsim.exceptions import ErrorCode, InvalidOption
from semsim.images import RGBImage
from semsim.pairs import PairFailure

_ROWS = 16
"""Rows that are held at once."""
_BUFFER = 8 * 2**20
"""Bytes that are read ahead of a column. Without a buffer, whole columns of a row group would be held."""


@dataclass(frozen=True, slots=True)
class ParquetSlice:
    """Some rows of one file: whole row groups, or a piece of one."""

    file: Location
    names: PairNames
    groups: tuple[int, int]
    """The first row group, and the one behind the last."""
    skipped: int
    """The rows of the first row group that belong to slices before."""
    first: int
    """The place of the first row in the file."""
    rows: int

    def pairs(self) -> Iterator[ReadPair]:
        """The pairs of the slice in order. Each has its row, also where the file is damaged."""
        place, end = self.first, self.first + self.rows
        failure = unreadable("fewer rows than its footer tells")
        try:
            for pair in self._pairs():
                yield pair
                place += 1
        except (pyarrow.ArrowException, OSError) as error:
            failure = unreadable(error)
        for row in range(place, end):
            yield ReadPair(row, None, failure)

    def _pairs(self) -> Iterator[ReadPair]:
        with self.file.open() as source:
            file = pyarrow.parquet.ParquetFile(
                source, pre_buffer=False, buffer_size=_BUFFER, page_checksum_verification=True
            )
            columns = [*_columns(file.schema_arrow, self.names)]
            groups = list(range(*self.groups))
            before, row = self.skipped, self.first
            for batch in file.iter_batches(_ROWS, row_groups=groups, columns=columns, use_threads=False):
                skipped = min(before, len(batch))
                before -= skipped
                for index in range(skipped, len(batch)):
                    if row == self.first + self.rows:
                        return
                    yield self._pair(row, batch, index)
                    row += 1

    def _pair(self, row: int, batch: Any, index: int) -> ReadPair:
        name = _text(batch.column(self.names.id)[index]) if self.names.id in batch.schema.names else None
        images: list[bytes | RGBImage] = []
        for side, column in (("original", self.names.original), ("reconstruction", self.names.reconstruction)):
            image = _image(batch, column, index)
            if isinstance(image, PairFailure):
                failure = PairFailure(image.code, f"{side}: {image.message}")
                return ReadPair(row, name, failure)
            images.append(image)
        return ReadPair(row, name, (images[0], images[1]))


@dataclass(frozen=True, slots=True)
class UnreadableParquet:
    """A file whose footer could not be read. It fails in this run also where it can be read again a moment later."""

    reason: str

    def pairs(self) -> Iterator[ReadPair]:
        """One failure for all pairs: nothing tells how many they are."""
        yield ReadPair(None, None, unreadable(self.reason))


def slices(file: Location, names: PairNames, most: int) -> list[ParquetSlice]:
    """A file in slices of at most ``most`` rows: of small row groups several together, of a large one a piece.

    Raises:
        InvalidOption: a column is missing, or its values are no images.
        ArrowException, OSError: the file cannot be read.
    """
    with file.open() as source:
        opened = pyarrow.parquet.ParquetFile(source)
        _check(opened.schema_arrow, names, file)
        counts = [opened.metadata.row_group(group).num_rows for group in range(opened.num_row_groups)]
    made: list[ParquetSlice] = []
    group = first = 0
    while group < len(counts):
        end, rows = group + 1, counts[group]
        while end < len(counts) and rows + counts[end] <= most:
            rows += counts[end]
            end += 1
        for skipped in range(0, rows, most):
            size = min(most, rows - skipped)
            made.append(ParquetSlice(file, names, (group, end), skipped, first + skipped, size))
        group, first = end, first + rows
    return made


def _columns(schema: Any, names: PairNames) -> Iterator[str]:
    sides = (names.original, names.reconstruction)
    wanted = dict.fromkeys([names.id, *sides, *(side + SHAPE_SUFFIX for side in sides)])
    yield from (name for name in wanted if name in schema.names)


def _check(schema: Any, names: PairNames, file: Location) -> None:
    for column in (names.original, names.reconstruction):
        if column not in schema.names:
            raise InvalidOption(
                f"expected a column {column} in {file.name}, got {', '.join(schema.names) or 'none'}: --original and "
                "--reconstruction name them"
            )
        kind = schema.field(column).type
        encoded = _is_binary(kind) or (
            pyarrow.types.is_struct(kind)
            and kind.get_field_index("bytes") >= 0
            and _is_binary(kind.field("bytes").type)
        )
        is_raw = column + SHAPE_SUFFIX in schema.names
        if is_raw and not holds_shapes(shapes := schema.field(column + SHAPE_SUFFIX).type):
            raise InvalidOption(
                f"expected lists of integers in the column {column}{SHAPE_SUFFIX} of {file.name}, got {shapes}"
            )
        if not (holds_pixels(kind) if is_raw else encoded):
            expected = "bytes or lists of integers" if is_raw else "encoded images as bytes, or a struct with bytes"
            hint = "" if is_raw else f"; raw pixels need their shapes in a column {column}{SHAPE_SUFFIX}"
            raise InvalidOption(f"expected {expected} in the column {column} of {file.name}, got {kind}{hint}")


def _is_binary(kind: Any) -> bool:
    return bool(pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind))


def _text(name: Any) -> str | None:
    try:
        value = name.as_py()
    except UnicodeDecodeError:  # Arrow does not check what a file calls a text
        return str(bytes(name.as_buffer()).decode("utf-8", "surrogateescape"))
    return None if value is None else str(value)


def _image(batch: Any, column: str, index: int) -> bytes | RGBImage | PairFailure:
    value = batch.column(column)[index]
    if value.is_valid and column + SHAPE_SUFFIX in batch.schema.names:
        return pixels(value, batch.column(column + SHAPE_SUFFIX)[index].as_py())
    encoded = value.as_py()
    if isinstance(encoded, dict):
        encoded = encoded["bytes"]
    if encoded is None:
        return PairFailure(ErrorCode.INVALID_PAIR, "expected an image, got null")
    return bytes(encoded)
