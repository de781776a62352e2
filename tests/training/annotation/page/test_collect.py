"""Judgements are collected from the page's database, and its file is guarded."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.judgements import AnnotatorKind, read
from semsim_training.annotation.page.annotation_study import PROTOCOL, AnnotationStudy, StudySettings
from semsim_training.annotation.page.card_queue import CardQueue, StepOutcome
from semsim_training.annotation.page.collect import collect
from semsim_training.annotation.page.study_database import StudyDatabase
from tests.training.annotation.page.clock import Clock
from tests.training.annotation.page.people import ADA, BOB, enrol

SETTINGS = StudySettings(annotators=2, clean=0.2, noise=0.1, repeats=0.2, practice=2, repeat_distance=2, seed=3)


@pytest.fixture
def study(small_set: Path) -> AnnotationStudy:
    """A study with much gold and many repeats."""
    return AnnotationStudy.read([small_set], SETTINGS)


@pytest.fixture
def database(tmp_path: Path, study: AnnotationStudy) -> Iterator[StudyDatabase]:
    """The database of that study."""
    made = StudyDatabase.for_study(tmp_path / "page.sqlite", study)
    yield made
    made.close()


def judge_all(queue: CardQueue, annotator: str, clock: Clock) -> int:
    """Judge everything, and return how many judgements that made."""
    count = 0
    while turn := queue.current(annotator):
        clock.now += 2
        queue.judge(annotator, turn.token, turn.card.item.truth, 1.25)
        count += 1
    return count


def test_every_judgement_once(tmp_path: Path, study: AnnotationStudy, database: StudyDatabase) -> None:
    """Judgements of gold and repeats are collected, too. A second run adds nothing, a later one the new judgements."""
    clock = Clock()
    queue = CardQueue(database, study, clock)
    ada, bob = enrol(database, ADA), enrol(database, BOB)
    count = judge_all(queue, ada, clock)
    assert collect(database, tmp_path / "table", clock) == count
    assert collect(database, tmp_path / "table", clock) == 0
    more = judge_all(queue, bob, clock)
    assert collect(database, tmp_path / "table", clock) == more
    judgements = read(tmp_path / "table")
    assert len(judgements) == count + more
    assert {judgement.annotator for judgement in judgements} == {ada, bob}
    assert {judgement.shown for judgement in judgements} == {"reconstruction", "clean", "noise"}
    assert {judgement.repeat for judgement in judgements} == {0, 1}
    for judgement in judgements:
        assert (judgement.kind, judgement.protocol) == (AnnotatorKind.PERSON, PROTOCOL)
        assert judgement.seconds == 1.25
        assert judgement.answer == judgement.truth
        assert judgement.dataset == "small"


def test_undone_and_skipped_are_left_out_and_collected_is_settled(
    tmp_path: Path, study: AnnotationStudy, database: StudyDatabase
) -> None:
    """A judgement that stands is collected, and cannot be undone from then on."""
    queue, ada = CardQueue(database, study), enrol(database, ADA)
    for _ in range(2):
        turn = queue.current(ada)
        assert turn is not None
        queue.judge(ada, turn.token, None)
    shown = queue.current(ada)
    assert shown is not None
    assert queue.undo(ada, shown.token) is StepOutcome.DONE
    assert queue.skip(ada, turn.token) is StepOutcome.DONE
    assert collect(database, tmp_path / "table") == 1
    assert queue.undo(ada, shown.token) is StepOutcome.SETTLED


def test_an_interrupted_run_is_finished_by_the_next(
    tmp_path: Path, study: AnnotationStudy, database: StudyDatabase
) -> None:
    """A judgement that was settled but not written, as after a full disk, is written by the next run."""
    queue, ada = CardQueue(database, study), enrol(database, ADA)
    turn = queue.current(ada)
    assert turn is not None
    queue.judge(ada, turn.token, None)
    (tmp_path / "table").write_text("in the way of a directory")
    with pytest.raises(OSError, match="table"):
        collect(database, tmp_path / "table")
    (tmp_path / "table").unlink()
    assert collect(database, tmp_path / "table") == 1


def test_databases_of_other_studies_are_refused(tmp_path: Path, small_set: Path, database: StudyDatabase) -> None:
    """The error says what differs, and the file is left as it is."""
    before = database.path.read_bytes()
    for study, message in (
        (AnnotationStudy.read([small_set], replace(SETTINGS, seed=4)), "seed 4, got 3"),
        (AnnotationStudy.read([small_set], replace(SETTINGS, practice=1)), "practice 1, got 2"),
        (AnnotationStudy.read([small_set], SETTINGS, ["test"]), "items .*, got"),
    ):
        with pytest.raises(InvalidAnnotations, match=f"expected a database of this study at .*: {message}"):
            StudyDatabase.for_study(database.path, study)
    assert database.path.read_bytes() == before
    with database.transaction() as connection:
        connection.execute("UPDATE study SET value = 'page/0' WHERE name = 'protocol'")
    with pytest.raises(InvalidAnnotations, match=r"of the protocol page/1 at .*, got page/0"):
        StudyDatabase.existing(database.path)


def test_settings_that_change_no_image_may_change(small_set: Path, database: StudyDatabase) -> None:
    """The study stays the same with more annotators, other shares or another lease."""
    settings = replace(SETTINGS, annotators=7, lease_seconds=5, clean=0, noise=0.4, repeats=0)
    StudyDatabase.for_study(database.path, AnnotationStudy.read([small_set], settings)).close()


def test_files_that_are_no_database_are_refused(tmp_path: Path, study: AnnotationStudy) -> None:
    """Refused are a missing file, a text file, and a database with other tables."""
    with pytest.raises(InvalidAnnotations, match=r"at .*none.sqlite, got no file"):
        StudyDatabase.existing(tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()
    (tmp_path / "text.sqlite").write_text("annotations, but not a database of them")
    with pytest.raises(InvalidAnnotations, match=r"expected an SQLite database at .*text.sqlite"):
        StudyDatabase.for_study(tmp_path / "text.sqlite", study)
    other = sqlite3.connect(tmp_path / "other.sqlite")
    other.execute("CREATE TABLE something (a)")
    other.close()
    for opening in (StudyDatabase.existing, lambda path: StudyDatabase.for_study(path, study)):
        with pytest.raises(InvalidAnnotations, match=r"at .*other.sqlite, got other tables"):
            opening(tmp_path / "other.sqlite")


def test_a_database_holds_no_image(database: StudyDatabase) -> None:
    """The database holds neither pixels nor the name of an original."""
    assert (database.path.parent / "page.sqlite-wal").exists()
    kept = b"".join(path.read_bytes() for path in database.path.parent.glob("page.sqlite*"))
    assert b"PNG" not in kept
    assert b"quince" not in kept
