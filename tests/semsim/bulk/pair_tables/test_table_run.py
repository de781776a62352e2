"""A table of pairs is scored into one row a pair, however often the run is interrupted."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.fs
import pyarrow.parquet
import pytest

from semsim import Scorer
from semsim.bulk.pair_tables.location import Location
from semsim.bulk.pair_tables.table_manifest import MANIFEST_NAME, TableManifest
from semsim.bulk.pair_tables.table_run import score_table
from semsim.exceptions import InvalidOption, UnmatchedImages, UnreadableFile
from semsim.summary import merge_summaries, summarize
from tests.conftest import CPU
from tests.semsim.bulk.pair_tables.written_tables import (
    check_each_pair_once,
    image,
    noisy,
    rows,
    run,
    write_parquet,
    write_shard,
)


class Stop(Exception):
    """An interruption."""


def stop_after(parts: int) -> Any:
    """A progress that interrupts a run once so many parts are done."""

    def progress(step: str, done: int, total: int) -> None:
        if done >= parts:
            raise Stop

    return progress


def manifest_of(output: Path) -> TableManifest:
    """The manifest that stands in a folder."""
    manifest = TableManifest.read(Location.of(str(output)))
    assert manifest is not None
    return manifest


def test_every_file_is_scored(small_scorer: Scorer, tmp_path: Path) -> None:
    """Parquet and shards stand in one table; the manifest counts what the rows hold."""
    write_parquet(tmp_path / "in" / "pairs.parquet")
    write_shard(tmp_path / "in" / "pairs.tar")
    manifest = run(small_scorer, tmp_path / "in", tmp_path / "out")
    table = rows(tmp_path / "out")
    assert [row["file"] for row in table] == ["pairs.parquet"] * 20 + ["pairs.tar"] * 4
    assert table[0]["distance"] == table[20]["distance"] > 0
    assert manifest.is_complete
    assert manifest.summary.pairs == 24
    assert manifest == manifest_of(tmp_path / "out")


def test_interrupted_runs_end_with_one_row_a_pair(small_scorer: Scorer, tmp_path: Path) -> None:
    """A run that is cut off after each part writes the bytes of one that is not; done parts are not done again."""
    source = write_parquet(tmp_path / "pairs.parquet")
    run(small_scorer, source, tmp_path / "whole")
    for done in range(1, 4):
        with pytest.raises(Stop):
            run(small_scorer, source, tmp_path / "cut", progress=stop_after(done))
        assert len(manifest_of(tmp_path / "cut").parts) == done
        assert not manifest_of(tmp_path / "cut").is_complete
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cut").glob("*.parquet")}
    run(small_scorer, source, tmp_path / "cut")
    assert all(path.stat().st_mtime_ns == written for path, written in before.items())
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "cut" / path.name).read_bytes() == path.read_bytes()
    check_each_pair_once(tmp_path / "cut", small_scorer)


def test_changed_parts_are_scored_again(small_scorer: Scorer, tmp_path: Path) -> None:
    """A part that is lost, damaged, or not yet in the manifest is scored again, in its own place."""
    source = write_parquet(tmp_path / "pairs.parquet")
    manifest = run(small_scorer, source, tmp_path / "out")
    first, second, third, *_ = sorted((tmp_path / "out").glob("part-*.parquet"))
    first.unlink()
    second.write_bytes(b"damaged")
    manifest.model_copy(update={"parts": [one for one in manifest.parts if one.name != third.name]}).write(
        Location.of(str(tmp_path / "out"))
    )
    assert run(small_scorer, source, tmp_path / "out") == manifest
    check_each_pair_once(tmp_path / "out", small_scorer)


def test_unreadable_files_are_tried_again(small_scorer: Scorer, tmp_path: Path) -> None:
    """Rows that could not be read have an error and no leakage; the next run scores them, where they can be read."""
    whole = write_parquet(tmp_path / "pairs.parquet").read_bytes()
    store = pyarrow.fs._MockFileSystem()  # its clock stands: the file is the same one, which could not be read before
    store.create_dir("bucket/in")
    source, output = Location(store, "bucket/in"), Location.of(str(tmp_path / "out"))
    (source / "pairs.parquet").write(whole[:-8] + b"00000000")
    manifest = score_table(small_scorer, source, output, part_pairs=6)
    assert manifest.errors == {"unreadable_file": 1}
    assert [row["error_code"] for row in rows(tmp_path / "out")] == ["unreadable_file"]
    (source / "pairs.parquet").write(whole)
    assert not score_table(small_scorer, source, output, part_pairs=6).errors
    check_each_pair_once(tmp_path / "out", small_scorer)


def test_other_content_of_the_same_size_and_time_is_refused(small_scorer: Scorer, tmp_path: Path) -> None:
    """A copy may keep the time of its source (`cp -p`, `rsync -t`): the rows of the old content are not its own."""
    write_parquet(tmp_path / "in" / "a.parquet", count=2)
    shard = write_shard(tmp_path / "b.tar", count=2)
    for place, changed in ((tmp_path / "in", tmp_path / "in" / "a.parquet"), (shard, shard)):
        output = tmp_path / f"of-{place.name}"
        run(small_scorer, place, output)
        kept = changed.stat()
        changed.write_bytes(bytes(kept.st_size))
        os.utime(changed, ns=(kept.st_atime_ns, kept.st_mtime_ns))
        with pytest.raises(InvalidOption, match=r"expected the input_files of the run in .*: name another place"):
            run(small_scorer, place, output)


def test_a_table_that_does_not_tell_when_its_files_changed_is_refused(small_scorer: Scorer, tmp_path: Path) -> None:
    """A manifest of before has no time of change: whether its rows are those of the files is not known."""
    source = write_parquet(tmp_path / "pairs.parquet", count=2)
    run(small_scorer, source, tmp_path / "out")
    path = tmp_path / "out" / MANIFEST_NAME
    content = json.loads(path.read_text())
    del content["run"]["input_files"][0]["changed_ns"]
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidOption, match=r"expected the input_files of the run in .*: name another place"):
        run(small_scorer, source, tmp_path / "out")


def test_files_that_come_meanwhile_are_refused(small_scorer: Scorer, tmp_path: Path) -> None:
    """A file that is written while others are scored is in no number: the run is refused. So is one without pairs."""
    write_parquet(tmp_path / "in" / "a.parquet", count=2)

    def write(step: str, done: int, total: int) -> None:
        if done == total:
            write_parquet(tmp_path / "in" / "b.parquet", count=2)

    with pytest.raises(UnreadableFile, match=r"got 1 that came, went or changed, such as b\.parquet"):
        run(small_scorer, tmp_path / "in", tmp_path / "out", progress=write)
    empty = pyarrow.array([], pyarrow.binary())
    write_parquet(tmp_path / "none" / "a.parquet", count=0, original=empty, reconstruction=empty)
    with pytest.raises(UnmatchedImages, match="got 1 files without any"):
        run(small_scorer, tmp_path / "none", tmp_path / "of-none")


def test_failures_are_rows(small_scorer: Scorer, tmp_path: Path) -> None:
    """A pair that cannot be decoded has a row with its error, and counts."""
    originals: list[bytes | None] = [image(i) for i in range(20)]
    originals[3], originals[4] = b"no image", None
    manifest = run(small_scorer, write_parquet(tmp_path / "pairs.parquet", original=originals), tmp_path / "out")
    table = rows(tmp_path / "out")
    assert [(row["row"], row["error_code"]) for row in table if row["error_code"]] == [
        (3, "not_an_image"),
        (4, "invalid_pair"),
    ]
    assert table[3]["distance"] is table[3]["leakage"] is None
    assert (manifest.summary.failed, manifest.errors) == (2, {"not_an_image": 1, "invalid_pair": 1})


@pytest.mark.parametrize("change", ["model", "controls", "limit", "input", "names", "parts"])
def test_another_run_is_refused(small_scorer: Scorer, calibrated_artifact: Path, tmp_path: Path, change: str) -> None:
    """A table is finished by the run that began it, and by no other."""
    source = write_parquet(tmp_path / "pairs.parquet")
    calibrated = Scorer(calibrated_artifact, providers=CPU)
    run(calibrated, source, tmp_path / "out", fail_above=0.5)
    scorer, options = calibrated, {"fail_above": 0.5}
    if change == "model":
        scorer = small_scorer
    elif change == "controls":
        scorer = Scorer(calibrated_artifact, providers=CPU, controls=False)
    elif change == "limit":
        options = {"fail_above": 0.6}
    elif change == "input":
        write_parquet(source, original=[noisy(i) for i in range(20)])
    elif change == "names":
        source = write_parquet(tmp_path / "pairs.parquet").rename(tmp_path / "others.parquet")
    else:
        options["part_pairs"] = 7
    with pytest.raises(InvalidOption, match=r"expected the .* of the run in .*, got .*: name another place"):
        run(scorer, source, tmp_path / "out", **options)


def test_foreign_folders_are_refused(small_scorer: Scorer, tmp_path: Path) -> None:
    """A folder that holds something else, or another manifest, is not written to."""
    source = write_parquet(tmp_path / "pairs.parquet")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f"_{MANIFEST_NAME}.writing").write_text("of a run that was killed as it began")
    run(small_scorer, source, tmp_path / "out")
    (tmp_path / "out" / MANIFEST_NAME).unlink()
    (tmp_path / "out" / "a thesis.txt").write_text("years of work")
    with pytest.raises(InvalidOption, match=r"got local:.*out with a thesis\.txt"):
        run(small_scorer, source, tmp_path / "out")
    (tmp_path / "out" / MANIFEST_NAME).write_text("{}")
    with pytest.raises(InvalidOption, match="expected the manifest of a scored table"):
        run(small_scorer, source, tmp_path / "out")


def test_an_object_store_is_a_file_system(small_scorer: Scorer, tmp_path: Path) -> None:
    """Input and output lie in a file system of pyarrow that is no disk: the way of s3:// and gs://."""
    store = pyarrow.fs._MockFileSystem()
    for name, path in (
        ("pairs.parquet", write_parquet(tmp_path / "pairs.parquet")),
        ("pairs.tar", write_shard(tmp_path / "pairs.tar")),
    ):
        store.create_dir("bucket/in")
        with store.open_output_stream(f"bucket/in/{name}") as file:
            file.write(path.read_bytes())
    source, output = Location(store, "bucket/in"), Location(store, "bucket/out")
    with pytest.raises(Stop):
        score_table(small_scorer, source, output, part_pairs=6, progress=stop_after(2))
    score_table(small_scorer, source, output, part_pairs=6)
    table = pyarrow.parquet.read_table("bucket/out", filesystem=store)
    assert sorted(table.select(["file", "row"]).to_pylist(), key=str) == sorted(
        [{"file": "pairs.parquet", "row": i} for i in range(20)] + [{"file": "pairs.tar", "row": i} for i in range(4)],
        key=str,
    )
    assert not [
        info.path for info in store.get_file_info(pyarrow.fs.FileSelector("bucket/out")) if "writing" in info.path
    ]


def test_locations_are_told_apart() -> None:
    """A URI of no known kind is refused; a place below another one is within it."""
    with pytest.raises(InvalidOption, match="expected a path or a URI of pyarrow's file systems, got zz://bucket"):
        Location.of("zz://bucket")
    assert Location.of("file:///a/b").is_within(Location.of("/a"))
    assert not Location.of("/ab").is_within(Location.of("/a"))
    assert not Location.of("s3://a/b?region=eu-west-1").is_within(Location.of("/a"))
    assert Location.of("s3://a/b?region=eu-west-1").name == "s3:a/b"


def test_merged_summaries_are_the_summary_of_all(calibrated_artifact: Path) -> None:
    """Sums and means of parts make those of the whole, also where a part has no leakage."""
    scorer = Scorer(calibrated_artifact, providers=CPU)
    results = scorer.score_pairs([(image(i), noisy(i)) for i in range(6)] + [(b"", b"")] * 2)
    parts = [summarize(results[start:end]) for start, end in ((0, 1), (1, 6), (6, 8), (8, 8))]
    whole, merged = summarize(results), merge_summaries(parts)
    assert merged.mean_leakage == pytest.approx(whole.mean_leakage)
    assert merged == replace(whole, mean_leakage=merged.mean_leakage)
    assert merge_summaries([]) == summarize([])
