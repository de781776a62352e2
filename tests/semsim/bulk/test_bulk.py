"""Two directories: their matching, the resuming of a run, and its tables."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semsim import Scorer
from semsim.bulk.files import Directories
from semsim.bulk.journal import Journal, stamp
from semsim.bulk.matching import Match, find_images, match_by_index, match_by_name
from semsim.bulk.rows import ScoreRow, TableFormat, write_table
from semsim.bulk.run import score_directories
from semsim.calibration import LogisticCalibration
from semsim.exceptions import ErrorCode, InvalidOption, UnmatchedImages
from semsim.summary import summarize
from tests.conftest import CPU
from tests.encoded import picture

COUNT = 20


@pytest.fixture
def where(tmp_path: Path) -> Directories:
    """20 originals and a noisy reconstruction of each, whose names are in the reverse order."""
    rng = np.random.default_rng(0)
    directories = Directories(tmp_path / "originals", tmp_path / "reconstructions")
    for directory in (directories.originals, directories.reconstructions):
        directory.mkdir()
    for i in range(COUNT):
        image = picture(seed=i)
        noisy = np.clip(image + rng.normal(0, 5, image.shape), 0, 255).astype(np.uint8)
        Image.fromarray(image).save(directories.originals / f"{i:02}.png")
        Image.fromarray(noisy).save(directories.reconstructions / f"{COUNT - 1 - i:02}.jpg", quality=95)
    return directories


def names(run_rows: list[ScoreRow]) -> list[tuple[str | None, str | None]]:
    """The pairs of paths that rows hold."""
    return [(row.original, row.reconstruction) for row in run_rows]


def test_by_name_pairs_stems_and_directories() -> None:
    """a/7.png goes with a/7.jpg and with all images in a/7/; images without a partner are named."""
    originals = [Path("a/7.png"), Path("a/8.png"), Path("b/7.png")]
    reconstructions = [Path("a/7.jpg"), Path("a/8/dlg.png"), Path("a/8/ig.png"), Path("c/7.png")]
    matching = match_by_name(originals, reconstructions)
    assert matching.pairs == (
        (Path("a/7.png"), Path("a/7.jpg")),
        (Path("a/8.png"), Path("a/8/dlg.png")),
        (Path("a/8.png"), Path("a/8/ig.png")),
    )
    assert matching.lone_originals == (Path("b/7.png"),)
    assert matching.lone_reconstructions == (Path("c/7.png"),)
    with pytest.raises(UnmatchedImages, match="distinct names"):
        match_by_name([Path("7.png"), Path("7.jpg")], [Path("7.png")])


def test_names_match_however_an_umlaut_is_written() -> None:
    """An umlaut is two characters in macOS, and one elsewhere; two originals of one name are refused."""
    one, two = Path("k\u00f6ln.png"), Path("ko\u0308ln.png")
    assert match_by_name([one], [two]).pairs == ((one, two),)
    assert match_by_name([two], [one.with_suffix("") / "dlg.png"]).pairs == ((two, Path("k\u00f6ln/dlg.png")),)
    with pytest.raises(UnmatchedImages, match="distinct names"):
        match_by_name([one, two], [one])


def test_by_index_needs_equal_counts() -> None:
    """The i-th original goes with the i-th reconstruction."""
    matching = match_by_index([Path("a"), Path("b")], [Path("x"), Path("y")])
    assert matching.pairs == ((Path("a"), Path("x")), (Path("b"), Path("y")))
    with pytest.raises(UnmatchedImages, match="got 1 and 2"):
        match_by_index([Path("a"), Path("b")], [Path("x")])


def test_images_are_found_sorted_and_relative(where: Directories, tmp_path: Path) -> None:
    """Only image files are found; a directory without one is an error."""
    (where.originals / "notes.txt").write_text("no image")
    assert find_images(where.originals) == [Path(f"{i:02}.png") for i in range(COUNT)]
    (tmp_path / "empty").mkdir()
    for directory in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(UnmatchedImages, match="expected"):
            find_images(directory)


@pytest.mark.parametrize("match", [Match.BEST, Match.ASSIGNMENT])
def test_matching_by_distance_undoes_a_shuffle(small_scorer: Scorer, where: Directories, match: Match) -> None:
    """Reconstructions in unknown order are found by the distance of their embeddings."""
    run = score_directories(small_scorer, where, match)
    assert names(run.rows) == [(f"{i:02}.png", f"{COUNT - 1 - i:02}.jpg") for i in range(COUNT)]


def test_rows_are_the_scorers_results(small_scorer: Scorer, where: Directories) -> None:
    """A run gives the scores of each pair alone, and tells its progress up to the end."""
    steps: list[tuple[str, int, int]] = []
    run = score_directories(small_scorer, where, Match.INDEX, progress=lambda *step: steps.append(step))
    for row in run.rows:
        assert row.original is not None
        assert row.reconstruction is not None
        alone = small_scorer.score(where.originals / row.original, where.reconstructions / row.reconstruction)
        result = row.result()
        assert result.distance == pytest.approx(alone.distance, abs=1e-5)  # type: ignore[union-attr]
    assert steps[-1] == ("scoring", COUNT, COUNT)


def test_an_unreadable_image_costs_its_own_pair(small_scorer: Scorer, where: Directories) -> None:
    """A broken file is one failed row, whether it is matched by name or by distance."""
    (where.originals / "03.png").write_bytes(b"broken")
    by_name = score_directories(small_scorer, where, Match.NAME)
    assert [row.original for row in by_name.rows if row.error_code] == ["03.png"]
    by_distance = score_directories(small_scorer, where, Match.BEST)
    failed = [row for row in by_distance.rows if row.error_code]
    assert names(failed) == [("03.png", None)]
    assert failed[0].error_code == ErrorCode.NOT_AN_IMAGE
    assert len(by_distance.rows) == COUNT


def test_images_without_a_partner_are_rows_of_their_own(small_scorer: Scorer, where: Directories) -> None:
    """Originals and reconstructions without a partner are counted, and have rows that say so."""
    (where.originals / "05.png").unlink()
    (where.reconstructions / "06.jpg").unlink()
    run = score_directories(small_scorer, where, Match.NAME)
    assert len(run.rows) == COUNT - 2
    assert (run.summary().unmatched, run.summary().skipped, run.summary().failed) == (2, 0, 0)
    assert names(run.rows_of_others()) == [("06.png", None), (None, "05.jpg")]
    assert {row.error_code for row in run.rows_of_others()} == {ErrorCode.UNMATCHED_IMAGES}


def test_directories_without_a_pair_are_refused(small_scorer: Scorer, where: Directories) -> None:
    """Where no name matches, there is nothing to score, and nothing that could pass."""
    for path in where.reconstructions.iterdir():
        path.rename(path.with_stem(f"rec-{path.stem}"))
    with pytest.raises(UnmatchedImages, match=r"got none, such as rec-00\.jpg beside 00\.png"):
        score_directories(small_scorer, where, Match.NAME)


def test_a_file_that_comes_while_a_run_goes_on_is_told(small_scorer: Scorer, where: Directories) -> None:
    """Files that appear during the scoring are skipped ones: nobody saw them. One that goes is a failed pair."""

    def writing(step: str, done: int, total: int) -> None:
        if step == "scoring" and done < total:
            Image.fromarray(picture()).save(where.reconstructions / "99.png")
            (where.originals / "98.bin").write_bytes(bytes(range(256)))
            (where.reconstructions / "19.jpg").unlink()

    run = score_directories(small_scorer, where, Match.NAME, progress=writing)
    assert [one.path.name for one in run.skipped_reconstructions] == ["99.png"]
    assert [one.path.name for one in run.skipped_originals] == ["98.bin"]
    assert [(row.original, row.error_code) for row in run.rows if row.error_code] == [("19.png", "unreadable_file")]
    assert "nobody writes to" in str(run.rows_of_others()[0].error_message)


class _Interrupting:
    """Progress that raises as Ctrl-C does, after the first chunk."""

    def __call__(self, step: str, done: int, total: int) -> None:
        if step == "scoring" and done < total:
            raise KeyboardInterrupt


def test_an_interrupted_run_resumes(
    small_scorer: Scorer, where: Directories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pair that was scored before an interruption is not scored again, unless a file of it changed."""
    journal = tmp_path / "out.partial.jsonl"
    whole = score_directories(small_scorer, where, Match.NAME).rows
    with pytest.raises(KeyboardInterrupt):
        score_directories(small_scorer, where, Match.NAME, journal_path=journal, progress=_Interrupting())
    with journal.open("a") as file:
        file.write('{"stamp": [1, 2')  # a line cut short
    scored: list[int] = []
    real = small_scorer.score_pairs

    def counting(pairs: list[tuple[Path, Path]], **options: object) -> object:
        scored.append(len(pairs))
        return real(pairs, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(small_scorer, "score_pairs", counting)
    os.utime(where.originals / "02.png", ns=(1, 1))
    resumed = score_directories(small_scorer, where, Match.NAME, journal_path=journal).rows
    assert sum(scored) == COUNT - 16 + 1
    assert resumed == whole
    again = score_directories(small_scorer, where, Match.NAME, journal_path=journal).rows
    assert again == whole


def test_a_journal_of_another_run_is_not_used(tmp_path: Path) -> None:
    """A run with another model or directory does not use the journal."""
    path = tmp_path / "journal"
    row = ScoreRow("a", "b", 0.0, None, None, 0.0, float("inf"), 1.0, False)
    first = Journal(path, {"model": "1"})
    first.append([((0, 0, 0, 0), row)])
    assert Journal(path, {"model": "1"}).done(Path("a"), Path("b"), (0, 0, 0, 0)) == row
    assert Journal(path, {"model": "2"}).done(Path("a"), Path("b"), (0, 0, 0, 0)) is None
    assert stamp(tmp_path / "gone", tmp_path / "gone") == (0, 0, 0, 0, 0, 0)


def test_a_file_that_was_replaced_has_another_stamp(tmp_path: Path) -> None:
    """Other content of the same size and the same time of modification, as out of an archive, is another file."""
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    os.utime(path, ns=(1, 1))
    before = stamp(path, path)
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert stamp(path, path) != before


def test_a_new_calibration_is_another_run(calibrated_artifact: Path, where: Directories, tmp_path: Path) -> None:
    """The leakage in a journal is that of its calibration: an artifact that was calibrated anew scores again."""
    old, new = Scorer(calibrated_artifact, providers=CPU), Scorer(calibrated_artifact, providers=CPU)
    calibration = LogisticCalibration(slope=4.0, intercept=-2.0)
    new.manifest = new.manifest.model_copy(update={"calibration": calibration})
    journal = tmp_path / "journal"
    score_directories(old, where, Match.NAME, journal_path=journal)
    resumed = score_directories(new, where, Match.NAME, journal_path=journal)
    assert resumed.rows == score_directories(new, where, Match.NAME).rows


def test_other_controls_are_another_run(calibrated_artifact: Path, where: Directories, tmp_path: Path) -> None:
    """The chance in a journal is that of its controls: beside others, or none, every pair is scored again."""
    images = [picture(20, 20, seed) for seed in range(140)]
    journal = tmp_path / "journal"
    for controls in (True, False, images, images[1:], True):
        scorer = Scorer(calibrated_artifact, providers=CPU, controls=controls)
        resumed = score_directories(scorer, where, Match.NAME, journal_path=journal)
        assert resumed.rows == score_directories(scorer, where, Match.NAME).rows


def test_a_journal_cut_inside_a_character_keeps_the_lines_before(tmp_path: Path) -> None:
    """A line of the journal that ends inside a letter of two bytes costs its own row only."""
    path = tmp_path / "journal"
    Journal(path, {}).append([((0, 0, 0, 0), ScoreRow(name, "r")) for name in ("whole.png", "caf\u00e9.png")])
    content = path.read_bytes()
    path.write_bytes(content[: content.index("\u00e9".encode()) + 1])
    resumed = Journal(path, {})
    assert resumed.done(Path("whole.png"), Path("r"), (0, 0, 0, 0)) == ScoreRow("whole.png", "r")
    assert resumed.done(Path("caf\u00e9.png"), Path("r"), (0, 0, 0, 0)) is None


def test_a_journal_keeps_names_with_unusual_line_ends(tmp_path: Path) -> None:
    """A name with a line separator of Unicode is still one line of the journal."""
    path = tmp_path / "journal"
    row = ScoreRow("a\u2028b.png", "r")
    Journal(path, {}).append([((0, 0, 0, 0), row)])
    assert Journal(path, {}).done(Path("a\u2028b.png"), Path("r"), (0, 0, 0, 0)) == row


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_tables_hold_every_row(small_scorer: Scorer, where: Directories, tmp_path: Path, suffix: str) -> None:
    """A table of each format gives the rows back, failures and an infinite psnr included."""
    (where.originals / "03.png").write_bytes(b"broken")
    (where.reconstructions / "04.jpg").write_bytes((where.originals / "04.png").read_bytes())
    rows = score_directories(small_scorer, where, Match.NAME).rows
    path = tmp_path / f"out{suffix}"
    write_table(path, rows, small_scorer.manifest, summarize([row.result() for row in rows]))
    assert list(tmp_path.glob("out*")) == [path]
    if suffix == ".json":
        report = json.loads(path.read_text())
        assert report["summary"] == {
            "pairs": COUNT,
            "failed": 1,
            "max_leakage": None,
            "mean_leakage": None,
            "recognizable": None,
            "uninformative": sum(row.uninformative is not None for row in rows),
            "identified": None,
        }
        assert report["results"][3]["error"]["code"] == "not_an_image"
        assert report["results"][4]["psnr"] is None
        assert report["model"]["sha256"] == small_scorer.manifest.graph.sha256
        return
    if suffix == ".csv":
        with path.open() as file:
            read = list(csv.DictReader(file))
        assert read[4]["psnr"] == "inf"
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        table = parquet.read_table(path)
        assert table.schema.metadata[b"semsim.model_sha256"].decode() == small_scorer.manifest.graph.sha256
        assert [str(kind) for kind in table.schema.types] == ["string"] * 2 + ["double"] * 2 + ["bool"] + [
            "double"
        ] * 4 + ["bool", "string", "double", "bool", "double", "double"] + ["string"] * 2
        read = table.to_pylist()
    assert [row["original"] for row in read] == [row.original for row in rows]
    assert read[3]["error_code"] == "not_an_image"
    assert float(read[5]["distance"]) == rows[5].distance


def test_other_formats_are_refused() -> None:
    """An output file of an unknown kind is refused before any work."""
    with pytest.raises(InvalidOption, match="parquet"):
        TableFormat.of(Path("out.xlsx"))
