"""Who gets which image next."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.items import Shown
from semsim_training.annotation.page.annotation_study import AnnotationStudy, StudySettings
from semsim_training.annotation.page.database import Database
from semsim_training.annotation.page.queue import Outcome, Queue, Turn
from tests.training.annotation.page.clock import Clock
from tests.training.annotation.page.people import ADA, BOB, CYD, enrol
from tests.training.annotation.page.sets import write_set

PLAIN = StudySettings(annotators=2, clean=0, noise=0, repeats=0, practice=0)


class Room:
    """A study with its annotators, over a clock that a test moves."""

    def __init__(self, database: Path, *sets: Path, settings: StudySettings = PLAIN) -> None:
        self.clock = Clock()
        self.study = AnnotationStudy.of(sets, settings)
        self.database = Database.for_study(database, self.study)
        self.queue = Queue(self.database, self.study, self.clock)

    def enrol(self, annotator: str) -> str:
        """Somebody new."""
        return enrol(self.database, annotator)

    def turn(self, annotator: str) -> Turn:
        """What the annotator is shown, of which there must be something."""
        turn = self.queue.current(annotator)
        assert turn is not None
        return turn

    def answer_all(self, annotator: str) -> list[Turn]:
        """Everything that the annotator is shown until nothing is left."""
        turns = []
        while turn := self.queue.current(annotator):
            turns.append(turn)
            self.clock.now += 2
            assert self.queue.answer(annotator, turn.token, turn.classes[0], 1.5) is Outcome.DONE
        return turns


Rooms = Callable[..., Room]


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    """Makes a room of some sets and settings."""
    with ExitStack() as opened:

        def make(*sets: Path, settings: StudySettings = PLAIN) -> Room:
            room = Room(tmp_path / "page.sqlite", *sets, settings=settings)
            opened.callback(room.database.close)
            return room

        yield make


@pytest.fixture
def room(rooms: Rooms, small_set: Path) -> Room:
    """Twelve images, two annotators each, neither gold nor repeats."""
    return rooms(small_set)


@pytest.fixture
def single(rooms: Rooms, tmp_path: Path) -> Room:
    """One image for one annotator."""
    one = write_set(tmp_path / "one", originals=1, settings=1, classes=1)
    return rooms(one, settings=replace(PLAIN, annotators=1))


def test_everyone_judges_everything_once_up_to_k(room: Room) -> None:
    """Two do all, in orders of their own that meet all originals before one comes back; a third finds nothing."""
    ada, bob, cyd = (room.enrol(name) for name in (ADA, BOB, CYD))
    orders = [[turn.card.item.identifier for turn in room.answer_all(annotator)] for annotator in (ada, bob)]
    assert all(len(set(order)) == len(order) == 12 for order in orders)
    assert orders[0] != orders[1]
    assert room.queue.current(cyd) is None
    assert room.queue.progress(ada).judged == 12
    assert room.queue.progress(ada).left == 0


def test_originals_come_back_as_late_as_can_be(room: Room) -> None:
    """All six originals are met once before the second reconstruction of any."""
    turns = room.answer_all(room.enrol(ADA))
    assert len({turn.card.original for turn in turns[:6]}) == 6


def test_least_annotated_first(room: Room) -> None:
    """What one annotator has judged waits for the others until everything else is judged."""
    ada, bob = room.enrol(ADA), room.enrol(BOB)
    done = set()
    for _ in range(5):
        turn = room.turn(ada)
        done.add(turn.card.item.identifier)
        room.queue.answer(ada, turn.token, None)
    order = [turn.card.item.identifier for turn in room.answer_all(bob)]
    assert set(order[-5:]) == done


def test_a_lease_keeps_an_image_and_runs_out(single: Room) -> None:
    """One image and k = 1: it is whose lease is valid, then the next one's, and a late answer is refused."""
    room = single
    ada, bob = room.enrol(ADA), room.enrol(BOB)
    late = room.turn(ada)
    assert room.queue.current(bob) is None
    room.clock.now += 599
    assert room.queue.current(bob) is None
    room.clock.now += 2
    now = room.turn(bob)
    assert now.card == late.card
    assert now.token != late.token
    assert room.queue.answer(ada, late.token, None) is Outcome.EXPIRED
    assert room.queue.answer(ada, late.token, None) is Outcome.EXPIRED
    assert room.queue.current(ada) is None
    assert room.queue.answer(bob, now.token, "class_0") is Outcome.DONE


def test_a_late_answer_counts_where_nobody_took_over(room: Room) -> None:
    """A lease that ran out harms nobody as long as the image is wanted."""
    ada = room.enrol(ADA)
    turn = room.turn(ada)
    room.clock.now += 10_000
    assert room.turn(ada).token == turn.token
    room.clock.now += 10_000
    assert room.queue.answer(ada, turn.token, None) is Outcome.DONE


def test_a_pause_holds_an_image_for_an_hour(single: Room) -> None:
    """Each sign of life extends the lease, up to the longest hold."""
    room = single
    ada, bob = room.enrol(ADA), room.enrol(BOB)
    turn = room.turn(ada)
    for _ in range(16):
        room.clock.now += 200
        assert room.queue.hold(ada, turn.token) is Outcome.DONE
        assert room.queue.current(bob) is None
    room.clock.now += 590
    room.queue.hold(ada, turn.token)
    assert room.queue.current(bob) is not None
    assert room.queue.hold(ada, turn.token) is Outcome.EXPIRED


def test_skipped_goes_to_others_and_never_back(room: Room) -> None:
    """The one who skipped never sees the image again; two others do."""
    ada, bob, cyd = (room.enrol(name) for name in (ADA, BOB, CYD))
    turn = room.turn(ada)
    assert room.queue.skip(ada, turn.token) is Outcome.DONE
    assert room.queue.skip(ada, turn.token) is Outcome.STALE
    skipped = turn.card.item.identifier
    assert skipped not in {turn.card.item.identifier for turn in room.answer_all(ada)}
    assert skipped in {turn.card.item.identifier for turn in room.answer_all(bob)}
    assert [turn.card.item.identifier for turn in room.answer_all(cyd)] == [skipped]


def test_undo_goes_back_several_levels_and_forward_again(room: Room) -> None:
    """Undone images come in their old order, then the one that was shown; undone answers are kept, marked."""
    ada = room.enrol(ADA)
    assert room.queue.undo(ada, room.turn(ada).token) is Outcome.NOTHING
    turns = []
    for _ in range(3):
        turns.append(room.turn(ada))
        room.queue.answer(ada, turns[-1].token, "class_0")
    waiting = room.turn(ada)
    assert room.queue.undo(ada, waiting.token) is Outcome.DONE
    assert room.queue.undo(ada, waiting.token) is Outcome.STALE
    assert room.queue.undo(ada, turns[2].token) is Outcome.DONE
    assert room.queue.progress(ada).judged == 1
    for expected in (turns[1], turns[2], waiting):
        assert room.turn(ada).token == expected.token
        assert room.queue.answer(ada, expected.token, None) is Outcome.DONE
    with room.database.transaction() as connection:
        rows = connection.execute("SELECT answer, undone_at IS NULL AS stands FROM judgement ORDER BY number")
        assert [tuple(row) for row in rows] == [("class_0", 1), ("class_0", 0), ("class_0", 0)] + [(None, 1)] * 3


def test_undo_from_the_last_page(room: Room) -> None:
    """Where nothing is shown any more the last answer can still be taken back."""
    ada = room.enrol(ADA)
    last = room.answer_all(ada)[-1]
    assert room.queue.undo(ada, "") is Outcome.DONE
    assert room.turn(ada).token == last.token


def test_two_tabs_make_one_judgement(room: Room) -> None:
    """Only the image that the annotator is at can be answered, once."""
    ada, bob = room.enrol(ADA), room.enrol(BOB)
    turn = room.turn(ada)
    assert room.turn(ada).token == turn.token
    assert room.queue.answer(bob, turn.token, None) is Outcome.STALE
    assert room.queue.answer(ada, turn.token, None) is Outcome.DONE
    assert room.queue.answer(ada, turn.token, "class_0") is Outcome.STALE
    assert room.queue.progress(ada).judged == 1
    assert room.queue.shown(ada, turn.token) is None
    assert room.queue.shown(bob, room.turn(ada).token) is None


def test_seconds_are_bounded_by_the_servers_clock(room: Room) -> None:
    """A browser cannot have looked for longer than since the image was served."""
    ada = room.enrol(ADA)
    for claimed in (3.0, 1e9, None):
        turn = room.turn(ada)
        room.clock.now += 5
        room.queue.answer(ada, turn.token, None, claimed)
    with room.database.transaction() as connection:
        assert [row[0] for row in connection.execute("SELECT seconds FROM judgement")] == [3.0, 5.0, None]


def test_a_wrong_class_is_refused_and_nothing_kept(room: Room) -> None:
    """The message says the classes of the image's set."""
    ada = room.enrol(ADA)
    turn = room.turn(ada)
    with pytest.raises(InvalidAnnotations, match="expected a class of class_0, class_1, class_2, got 'zebra'"):
        room.queue.answer(ada, turn.token, "zebra")
    assert room.turn(ada).token == turn.token
    assert room.queue.progress(ada).judged == 0


def test_gold_and_repeats_come_at_their_shares(rooms: Rooms, tmp_path: Path) -> None:
    """Clean, noise and repeats are about a tenth each; a repeat is far from its first showing."""
    big = write_set(tmp_path / "big", originals=60, settings=5, size=8)
    settings = StudySettings(annotators=1, clean=0.1, noise=0.1, repeats=0.1, practice=2, repeat_distance=10)
    room = rooms(big, settings=settings)
    ada = room.enrol(ADA)
    turns, repeats = [], 0
    while (turn := room.queue.current(ada)) and len(turns) < 150:
        turns.append(turn)
        room.queue.answer(ada, turn.token, None)
    shown = Counter(turn.card.item.shown for turn in turns)
    assert 7 <= shown[Shown.CLEAN] <= 25
    assert 7 <= shown[Shown.NOISE] <= 25
    places: dict[str, int] = {}
    for place, turn in enumerate(turns):
        identifier = turn.card.item.identifier
        if identifier in places:
            repeats += 1
            assert turn.card.item.shown is Shown.RECONSTRUCTION
            assert place - places[identifier] >= 10
        places[identifier] = place
    assert 5 <= repeats <= 25
    practised = {card.item.identifier for card in room.study.practice(ada)}
    assert not practised & set(places)


def test_sets_come_one_after_the_other(rooms: Rooms, tmp_path: Path, small_set: Path) -> None:
    """The classes change once, and the turn says so."""
    other = write_set(tmp_path / "other", name="other", originals=3, classes=2)
    room = rooms(small_set, other)
    turns = room.answer_all(room.enrol(ADA))
    assert len(turns) == 18
    assert [turn.new_classes for turn in turns].count(True) == 1
    changed = next(place for place, turn in enumerate(turns) if turn.new_classes)
    assert len({turn.card.dataset for turn in turns[:changed]}) == 1


def test_a_restart_forgets_nothing(room: Room, rooms: Rooms, small_set: Path) -> None:
    """A new queue over the same file is where the old one was."""
    ada = room.enrol(ADA)
    room.queue.answer(ada, room.turn(ada).token, None)
    turn = room.turn(ada)
    again = rooms(small_set).queue
    assert again.current(ada) == turn
    assert again.progress(ada) == room.queue.progress(ada)
    assert again.undo(ada, turn.token) is Outcome.DONE
