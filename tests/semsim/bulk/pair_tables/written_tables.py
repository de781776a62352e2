"""Small tables of pairs, and whatever a run made of one."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.dataset
import pyarrow.parquet

from semsim import PairScore, Scorer
from semsim.bulk.pair_tables.location import Location
from semsim.bulk.pair_tables.table_manifest import TableManifest
from semsim.bulk.pair_tables.table_run import score_table
from tests.encoded import encode, picture


def image(seed: int) -> bytes:
    """A PNG."""
    return encode(picture(seed=seed))


def noisy(seed: int) -> bytes:
    """A PNG of a noisy copy of the image of this seed."""
    noise = np.random.default_rng(seed).normal(0, 5, picture().shape)
    return encode(np.clip(picture(seed=seed) + noise, 0, 255).astype(np.uint8))


def write_parquet(path: Path, count: int = 20, group: int = 5, **columns: Any) -> Path:
    """A Parquet file of pairs with ids, in row groups, with other columns in the place of its own."""
    table: dict[str, Any] = {
        "id": [f"pair-{i}" for i in range(count)],
        "original": [image(i) for i in range(count)],
        "reconstruction": [noisy(i) for i in range(count)],
    }
    path.parent.mkdir(exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table(table | columns), path, row_group_size=group)
    return path


def write_shard(path: Path, files: Mapping[str, bytes] | None = None, count: int = 4) -> Path:
    """A WebDataset shard of pairs, or of other files."""
    pairs = {
        f"a/{i}.{name}.png": make(i)
        for i in range(count)
        for name, make in (("original", image), ("reconstruction", noisy))
    }
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in (pairs if files is None else files).items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def run(scorer: Scorer, source: Path, output: Path, **options: Any) -> TableManifest:
    """Score a table in small parts."""
    return score_table(scorer, Location.of(str(source)), Location.of(str(output)), **{"part_pairs": 6} | options)


def rows(output: Path) -> list[dict[str, Any]]:
    """The rows of a scored table as a reader of partitioned Parquet has them, in the order of their pairs."""
    table: list[dict[str, Any]] = pyarrow.dataset.dataset(output).to_table().to_pylist()
    return sorted(table, key=lambda row: (row["file"], row["row"] is None, row["row"]))


def check_each_pair_once(output: Path, scorer: Scorer, count: int = 20) -> None:
    """Hold that a table of :func:`write_parquet` has one row a pair, with the numbers of its pair."""
    table = rows(output)
    assert [(row["row"], row["id"]) for row in table] == [(i, f"pair-{i}") for i in range(count)]
    for i in range(0, count, 7):
        score = scorer.score(image(i), noisy(i))
        assert isinstance(score, PairScore)
        assert abs(table[i]["distance"] - score.distance) < 1e-5
        assert table[i]["psnr"] == score.psnr
