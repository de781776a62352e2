"""Pairs as Parquet files and WebDataset shards hold them: none is passed over."""

import os
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from semsim import PairFailure
from semsim.bulk.pair_tables.location import Location
from semsim.bulk.pair_tables.pair_files import PairFiles
from semsim.bulk.pair_tables.read_pair import PairNames, ReadPair
from semsim.exceptions import InvalidOption, UnmatchedImages
from semsim.images.limits import DEFAULT_LIMITS
from tests.encoded import picture
from tests.semsim.bulk.pair_tables.written_tables import image, noisy, write_parquet, write_shard


def read(path: Path, names: PairNames = PairNames(), most: int = 6) -> list[ReadPair]:  # noqa: B008
    """All pairs of a file or a folder, part after part."""
    parts = PairFiles.at(Location.of(str(path))).parts(names, most, DEFAULT_LIMITS)
    return [pair for part in parts for pair in part.pairs.pairs()]


def reason(pair: ReadPair) -> str:
    """The message of a pair that failed."""
    assert isinstance(pair.images, PairFailure)
    return f"{pair.images.code}: {pair.images.message}"


@pytest.mark.parametrize("group", [1, 2, 5, 20])
def test_parts_hold_each_row_once(tmp_path: Path, group: int) -> None:
    """Small row groups are put together and large ones cut, into parts of at most 6 rows."""
    path = write_parquet(tmp_path / "pairs.parquet", group=group)
    parts = PairFiles.at(Location.of(str(path))).parts(PairNames(), 6, DEFAULT_LIMITS)
    assert all(len(list(part.pairs.pairs())) <= 6 for part in parts)
    pairs = [pair for part in parts for pair in part.pairs.pairs()]
    assert [(pair.row, pair.id) for pair in pairs] == [(i, f"pair-{i}") for i in range(20)]
    assert [pair.images for pair in pairs] == [(image(i), noisy(i)) for i in range(20)]
    assert len({part.name for part in parts}) == len(parts) == 4


def raw(kind: Any) -> dict[str, Any]:
    """Raw originals of another type, with their shapes."""
    arrays = [picture(seed=i) for i in range(20)]
    if kind == "bytes":
        values = pyarrow.array([array.tobytes() for array in arrays])
    elif kind == "nested":
        values = pyarrow.array([array.tolist() for array in arrays])
    else:
        values = pyarrow.array([array.ravel() for array in arrays], pyarrow.list_(kind))
    return {"original": values, "original_shape": [array.shape for array in arrays]}


@pytest.mark.parametrize("kind", ["bytes", "nested", pyarrow.uint8(), pyarrow.int32()])
def test_raw_pixels_come_in_their_shape(tmp_path: Path, kind: Any) -> None:
    """Raw pixels are bytes or lists of integers, flat or not, with a column of shapes."""
    for i, pair in enumerate(read(write_parquet(tmp_path / "pairs.parquet", **raw(kind)))):
        assert not isinstance(pair.images, PairFailure)
        np.testing.assert_array_equal(pair.images[0], picture(seed=i))


def test_images_of_hugging_face_are_read(tmp_path: Path) -> None:
    """A struct of bytes and a path, as `datasets` writes images, is an encoded image."""
    structs = [{"bytes": image(i), "path": f"{i}.png"} for i in range(20)]
    assert read(write_parquet(tmp_path / "pairs.parquet", original=structs))[3].images == (image(3), noisy(3))


@pytest.mark.parametrize(
    ("pixels", "shape", "message"),
    [
        ([300] * 300, [10, 10, 3], "expected pixels from 0 to 255, got 300 to 300"),
        ([-1] * 300, [10, 10, 3], "got -1 to -1"),
        ([1] * 299, [10, 10, 3], r"expected the pixels of an image \(10, 10, 3\), got 299 values"),
        ([1] * 300, [-10, -10, 3], "got 300 values"),
        ([], [0, 10, 3], "got 0 values"),
        ([1, None, 1] * 100, [10, 10, 3], "expected pixels that are numbers, got null"),
        ([1] * 300, None, "expected a shape beside raw pixels, got null"),
        (None, [10, 10, 3], "original: expected an image, got null"),
    ],
)
def test_wrong_pixels_fail_alone(tmp_path: Path, pixels: Any, shape: Any, message: str) -> None:
    """Values that are no pixels of their shape make a failure of their pair, never an image."""
    columns = {
        "original": pyarrow.array([pixels, [9] * 300], pyarrow.list_(pyarrow.int32())),
        "original_shape": [shape, [10, 10, 3]],
    }
    wrong, right = read(write_parquet(tmp_path / "pairs.parquet", 2, **columns))
    assert re.search(message, reason(wrong))
    assert not isinstance(right.images, PairFailure)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"original": [1.5] * 20}, "expected encoded images as bytes, or a struct with bytes in the column original"),
        ({"original": [[1.5]] * 20, "original_shape": [[1, 1]] * 20}, "expected bytes or lists of integers"),
        (
            {"original": [[1]] * 20, "original_shape": [[1.0, 1.0]] * 20},
            "expected lists of integers in the column original_",
        ),
        ({"original": [[1]] * 20}, "raw pixels need their shapes in a column original_shape"),
    ],
)
def test_columns_without_images_are_refused(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    """A column of another type is refused before anything is scored, and so is one that is missing."""
    path = write_parquet(tmp_path / "pairs.parquet", **columns)
    with pytest.raises(InvalidOption, match=message):
        read(path)
    with pytest.raises(InvalidOption, match=r"expected a column before in .*, got id, original, reconstruction"):
        read(path, PairNames(original="before"))


def test_shards_are_read_by_key(tmp_path: Path) -> None:
    """Files of a key make a pair, by the names or the whole extensions that are asked for."""
    pairs = read(write_shard(tmp_path / "pairs.tar"))
    assert [(pair.row, pair.id, pair.images) for pair in pairs] == [
        (i, f"a/{i}", (image(i), noisy(i))) for i in range(4)
    ]
    files = {"b.v2/k.gt.PNG": image(1), "b.v2/k.rec.jpg.png": noisy(1), "b.v2/k.json": b"{}"}
    (pair,) = read(write_shard(tmp_path / "named.tar", files), PairNames("gt", "rec.jpg.png"))
    assert (pair.id, pair.images, pair.others) == ("b.v2/k", (image(1), noisy(1)), 0)


def test_keys_that_are_no_pair_are_told(tmp_path: Path) -> None:
    """A key with one image, with two originals, or with none is a failure; a third image is counted."""
    files = {
        "lone.original.png": image(0),
        "twice.original.png": image(0),
        "twice.original.jpg": image(0),
        "twice.reconstruction.png": noisy(0),
        "other.png": image(0),
        "third.original.png": image(1),
        "third.reconstruction.png": noisy(1),
        "third.mask.png": image(1),
    }
    lone, twice, other, third = read(write_shard(tmp_path / "pairs.tar", files))
    assert "one reconstruction of a key, got original.png" in reason(lone)
    assert "got original.png, original.jpg, reconstruction.png" in reason(twice)
    assert "got png" in reason(other)
    assert other.others == third.others == 1
    assert third.images == (image(1), noisy(1))


@pytest.mark.parametrize("damage", ["cut", "cut between files", "header", "concatenated", "no tar"])
def test_damaged_shards_are_told(tmp_path: Path, damage: str) -> None:
    """Whatever stands behind the damage is one failure without a row, also where Python's own reader would end."""
    path = write_shard(tmp_path / "pairs.tar")
    data = path.read_bytes()
    with tarfile.open(path) as archive:
        third = archive.getmembers()[4].offset
    path.write_bytes(
        {
            "cut": data[: third + 600],
            "cut between files": data[:third],
            "header": data[: third + 20] + b"?" + data[third + 21 :],
            "concatenated": data + data,
            "no tar": b"no tar at all" * 100,
        }[damage]
    )
    *whole, last = read(path)
    assert len(whole) == {"concatenated": 4, "no tar": 0}.get(damage, 2)
    assert not any(isinstance(pair.images, PairFailure) for pair in whole)
    assert last.row is None
    assert reason(last).startswith("unreadable_file: expected a file that can be read to its end")


def test_damaged_parquet_keeps_its_rows(tmp_path: Path) -> None:
    """Each row behind the damage is a failure; without a footer, the file is one."""
    path = write_parquet(tmp_path / "pairs.parquet", group=10)
    data = bytearray(path.read_bytes())
    chunk = pyarrow.parquet.ParquetFile(path).metadata.row_group(1).column(1)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    data[start : start + 64] = b"\xff" * 64
    path.write_bytes(data)
    pairs = read(path)
    assert [pair.row for pair in pairs] == list(range(20))
    assert [isinstance(pair.images, PairFailure) for pair in pairs] == [False] * 10 + [True] * 10
    path.write_bytes(data[:-100])
    parts = PairFiles.at(Location.of(str(path))).parts(PairNames(), 6, DEFAULT_LIMITS)
    write_parquet(path, group=10)  # a store may be out of reach for a moment: the rows behind the first would be lost
    (pair,) = parts[0].pairs.pairs()
    assert "unreadable_file" in reason(pair)


def test_checksums_of_pages_are_verified(tmp_path: Path) -> None:
    """Raw pixels have no checksum of their own: a damaged one would be another picture."""
    path, raw = tmp_path / "raw.parquet", picture(seed=0)
    columns = {"original": [raw.tobytes()], "original_shape": [list(raw.shape)]}
    columns |= {"reconstruction": columns["original"], "reconstruction_shape": columns["original_shape"]}
    table = pyarrow.table(columns)
    options = {"use_dictionary": False, "write_statistics": False, "write_page_checksum": True}
    pyarrow.parquet.write_table(table, path, compression="none", **options)
    data = bytearray(path.read_bytes())
    data[data.index(raw.tobytes()) + 99] ^= 64
    path.write_bytes(data)
    (pair,) = read(path)
    assert "unreadable_file" in reason(pair)


def test_names_of_other_bytes_are_read(tmp_path: Path) -> None:
    """An id that is no UTF-8 keeps its bytes; it ends no run."""
    ends = pyarrow.py_buffer(np.array([0, 1, 2], np.int32).tobytes())
    ids = pyarrow.Array.from_buffers(pyarrow.string(), 2, [None, ends, pyarrow.py_buffer(b"a\xe9")])
    assert [pair.id for pair in read(write_parquet(tmp_path / "a.parquet", count=2, id=ids))] == ["a", "\udce9"]


def test_other_files_are_told(tmp_path: Path) -> None:
    """Texts and Spark's marks stand beside tables; other files count as skipped; a place without a table is refused."""
    folder = tmp_path / "in"
    write_parquet(folder / "pairs.parquet")
    for name, data in (("_SUCCESS", b""), ("README.md", b"# pairs"), ("more.tar.gz", b"x"), ("a.png", image(0))):
        (folder / name).write_bytes(data)
    assert [file.path for file in PairFiles.at(Location.of(str(folder))).skipped] == ["a.png", "more.tar.gz"]
    for name in ("part-0", "_metadata"):  # Hadoop writes tables without a suffix, and footers beside them
        (folder / name).write_bytes((folder / "pairs.parquet").read_bytes())
    (folder / "b.parquet").symlink_to(tmp_path / "gone")
    os.mkfifo(folder / "c.tar")
    told = [file.path for file in PairFiles.at(Location.of(str(folder))).skipped]
    assert told == ["a.png", "b.parquet", "c.tar", "more.tar.gz", "part-0"]
    for name in ("pairs.parquet", "b.parquet", "c.tar", "part-0"):
        (folder / name).unlink()
    with pytest.raises(UnmatchedImages, match=r"got none, but 2 others, such as a\.png"):
        PairFiles.at(Location.of(str(folder)))
    with pytest.raises(UnmatchedImages, match="got none"):
        PairFiles.at(Location.of(str(tmp_path / "nowhere")))


def test_tables_that_are_called_texts_are_told(tmp_path: Path) -> None:
    """A download may end in another name: what is called a text counts as skipped where it is a table or a shard."""
    folder = tmp_path / "in"
    table, shard = write_parquet(folder / "a.parquet").read_bytes(), write_shard(folder / "b.tar").read_bytes()
    others = {
        "more.parquet.txt": table,
        "more.tar.JSON": shard,
        "bare.csv": b"PAR1 and no zero",
        "notes.txt": "caf\u00e9, of which PAR1 is told".encode(),
        "empty.txt": b"",
        ".a.parquet.crc": b"crc\0\0\0\2\0",
    }
    for name, data in others.items():
        (folder / name).write_bytes(data)
    told = [file.path for file in PairFiles.at(Location.of(str(folder))).skipped]
    assert told == ["bare.csv", "more.parquet.txt", "more.tar.JSON"]


def test_texts_that_cannot_be_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that nobody can open counts as skipped, since it may hold a table, and ends no run."""
    write_parquet(tmp_path / "in" / "a.parquet")
    (tmp_path / "in" / "notes.txt").write_text("closed")

    def refuse(place: Location) -> Any:
        raise PermissionError(place.path)

    monkeypatch.setattr(Location, "open", refuse)
    assert [file.path for file in PairFiles.at(Location.of(str(tmp_path / "in"))).skipped] == ["notes.txt"]
