"""The queue of cards: who is shown which image next, and what is kept."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim.scorer import Scorer
from semsim_training.annotation.dealing import original_of
from semsim_training.annotation.items import Shown
from semsim_training.annotation.page.annotation_study import AnnotationStudy, StudySettings
from semsim_training.annotation.page.card_queue import CardQueue, StepOutcome, Turn
from semsim_training.annotation.page.study_database import StudyDatabase
from tests.training.annotation.page.clock import Clock
from tests.training.annotation.page.people import ADA, BOB, CYD, enrol
from tests.training.annotation.sets import write_set

PLAIN = StudySettings(annotators=2, clean=0, noise=0, repeats=0, practice=0)


class Room:
    """A study with its annotators, over a clock that a test moves."""

    def __init__(self, database: Path, *sets: Path, settings: StudySettings = PLAIN) -> None:
        self.clock = Clock()
        scorer = None if settings.meetings is None else Scorer()
        self.study = AnnotationStudy.read(sets, settings, scorer=scorer)
        self.database = StudyDatabase.for_study(database, self.study)
        self.queue = CardQueue(self.database, self.study, self.clock)

    def enrol(self, annotator: str) -> str:
        """Enrol somebody new."""
        return enrol(self.database, annotator)

    def turn(self, annotator: str) -> Turn:
        """The image that the annotator is shown; there must be one."""
        turn = self.queue.current(annotator)
        assert turn is not None
        return turn

    def judge_all(self, annotator: str) -> list[Turn]:
        """Judge every image until none is left, and return them in their order."""
        turns = []
        while turn := self.queue.current(annotator):
            turns.append(turn)
            self.clock.now += 2
            assert self.queue.judge(annotator, turn.token, turn.classes[0], 1.5) is StepOutcome.DONE
        return turns


Rooms = Callable[..., Room]


@pytest.fixture
def rooms(quick_folder: Path) -> Iterator[Rooms]:
    """A function that makes a room of some sets and settings."""
    with ExitStack() as opened:

        def make(*sets: Path, settings: StudySettings = PLAIN) -> Room:
            room = Room(quick_folder / "page.sqlite", *sets, settings=settings)
            opened.callback(room.database.close)
            return room

        yield make


@pytest.fixture
def room(rooms: Rooms, small_set: Path) -> Room:
    """A room with twelve images for two annotators each, and neither gold nor repeats."""
    return rooms(small_set)


@pytest.fixture
def single(rooms: Rooms, tmp_path: Path) -> Room:
    """A room with one image for one annotator."""
    one = write_set(tmp_path / "one", originals=1, settings=1, classes=1)
    return rooms(one, settings=replace(PLAIN, annotators=1))


def test_everyone_is_shown_everything_once_up_to_k(room: Room) -> None:
    """Two annotators judge everything, in different orders, and nothing is left for a third."""
    ada, bob, cyd = (room.enrol(name) for name in (ADA, BOB, CYD))
    orders = [[turn.card.item.identifier for turn in room.judge_all(annotator)] for annotator in (ada, bob)]
    assert all(len(set(order)) == len(order) == 12 for order in orders)
    assert orders[0] != orders[1]
    assert room.queue.current(cyd) is None
    assert room.queue.progress(ada).judged == 12
    assert room.queue.progress(ada).left == 0


def test_originals_come_back_as_late_as_can_be(room: Room) -> None:
    """All six originals are met once before the second reconstruction of any."""
    turns = room.judge_all(room.enrol(ADA))
    assert len({turn.card.original for turn in turns[:6]}) == 6


def test_least_annotated_first(room: Room) -> None:
    """Images that one annotator has judged come to the other after all other images."""
    ada, bob = room.enrol(ADA), room.enrol(BOB)
    done = set()
    for _ in range(5):
        turn = room.turn(ada)
        done.add(turn.card.item.identifier)
        room.queue.judge(ada, turn.token, None)
    order = [turn.card.item.identifier for turn in room.judge_all(bob)]
    assert set(order[-5:]) == done


def test_a_lease_keeps_an_image_and_runs_out(single: Room) -> None:
    """An image stays with the annotator whose lease is valid, then goes to the next. A late judgement is refused."""
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
    assert room.queue.judge(ada, late.token, None) is StepOutcome.EXPIRED
    assert room.queue.judge(ada, late.token, None) is StepOutcome.EXPIRED
    assert room.queue.current(ada) is None
    assert room.queue.judge(bob, now.token, "class_0") is StepOutcome.DONE


def test_a_late_answer_counts_where_nobody_took_over(room: Room) -> None:
    """A judgement after the lease is kept as long as nobody else has taken the image."""
    ada = room.enrol(ADA)
    turn = room.turn(ada)
    room.clock.now += 10_000
    assert room.turn(ada).token == turn.token
    room.clock.now += 10_000
    assert room.queue.judge(ada, turn.token, None) is StepOutcome.DONE


def test_a_pause_holds_an_image_for_an_hour(single: Room) -> None:
    """Each sign of life extends the lease, up to the longest hold."""
    room = single
    ada, bob = room.enrol(ADA), room.enrol(BOB)
    turn = room.turn(ada)
    for _ in range(16):
        room.clock.now += 200
        assert room.queue.hold(ada, turn.token) is StepOutcome.DONE
        assert room.queue.current(bob) is None
    room.clock.now += 590
    room.queue.hold(ada, turn.token)
    assert room.queue.current(bob) is not None
    assert room.queue.hold(ada, turn.token) is StepOutcome.EXPIRED


def test_skipped_goes_to_others_and_never_back(room: Room) -> None:
    """An annotator who skipped an image never sees it again. Two others see it."""
    ada, bob, cyd = (room.enrol(name) for name in (ADA, BOB, CYD))
    turn = room.turn(ada)
    assert room.queue.skip(ada, turn.token) is StepOutcome.DONE
    assert room.queue.skip(ada, turn.token) is StepOutcome.STALE
    skipped = turn.card.item.identifier
    assert skipped not in {turn.card.item.identifier for turn in room.judge_all(ada)}
    assert skipped in {turn.card.item.identifier for turn in room.judge_all(bob)}
    assert [turn.card.item.identifier for turn in room.judge_all(cyd)] == [skipped]


def test_undo_goes_back_several_levels_and_forward_again(room: Room) -> None:
    """Undone images come in their old order, then the one that was shown. Undone judgements are kept, and marked."""
    ada = room.enrol(ADA)
    assert room.queue.undo(ada, room.turn(ada).token) is StepOutcome.NOTHING
    turns = []
    for _ in range(3):
        turns.append(room.turn(ada))
        room.queue.judge(ada, turns[-1].token, "class_0")
    waiting = room.turn(ada)
    assert room.queue.undo(ada, waiting.token) is StepOutcome.DONE
    assert room.queue.undo(ada, waiting.token) is StepOutcome.STALE
    assert room.queue.undo(ada, turns[2].token) is StepOutcome.DONE
    assert room.queue.progress(ada).judged == 1
    for expected in (turns[1], turns[2], waiting):
        assert room.turn(ada).token == expected.token
        assert room.queue.judge(ada, expected.token, None) is StepOutcome.DONE
    with room.database.transaction() as connection:
        rows = connection.execute("SELECT answer, undone_at IS NULL AS stands FROM judgement ORDER BY number")
        assert [tuple(row) for row in rows] == [("class_0", 1), ("class_0", 0), ("class_0", 0)] + [(None, 1)] * 3


def test_undo_from_the_last_page(room: Room) -> None:
    """The last judgement can be taken back where no image is left to show."""
    ada = room.enrol(ADA)
    last = room.judge_all(ada)[-1]
    assert room.queue.undo(ada, "") is StepOutcome.DONE
    assert room.turn(ada).token == last.token


def test_two_tabs_make_one_judgement(room: Room) -> None:
    """An annotator can judge only the image shown now, and only once."""
    ada, bob = room.enrol(ADA), room.enrol(BOB)
    turn = room.turn(ada)
    assert room.turn(ada).token == turn.token
    assert room.queue.judge(bob, turn.token, None) is StepOutcome.STALE
    assert room.queue.judge(ada, turn.token, None) is StepOutcome.DONE
    assert room.queue.judge(ada, turn.token, "class_0") is StepOutcome.STALE
    assert room.queue.progress(ada).judged == 1
    assert room.queue.shown(ada, turn.token) is None
    assert room.queue.shown(bob, room.turn(ada).token) is None


def test_seconds_are_bounded_by_the_servers_clock(room: Room) -> None:
    """A browser cannot have looked for longer than since the image was served."""
    ada = room.enrol(ADA)
    for claimed in (3.0, 1e9, None):
        turn = room.turn(ada)
        room.clock.now += 5
        room.queue.judge(ada, turn.token, None, claimed)
    with room.database.transaction() as connection:
        assert [row[0] for row in connection.execute("SELECT seconds FROM judgement")] == [3.0, 5.0, None]


def test_a_wrong_class_is_refused_and_nothing_kept(room: Room) -> None:
    """The error names the classes of the image's set."""
    ada = room.enrol(ADA)
    turn = room.turn(ada)
    with pytest.raises(InvalidAnnotations, match="expected a class of class_0, class_1, class_2, got 'zebra'"):
        room.queue.judge(ada, turn.token, "zebra")
    assert room.turn(ada).token == turn.token
    assert room.queue.progress(ada).judged == 0


def test_gold_and_repeats_come_at_their_shares(rooms: Rooms, tmp_path: Path) -> None:
    """Clean originals, noise and repeats take about a tenth each. A repeat is far from its first showing."""
    big = write_set(tmp_path / "big", originals=60, settings=5)
    settings = StudySettings(annotators=1, clean=0.1, noise=0.1, repeats=0.1, practice=2, repeat_distance=10)
    room = rooms(big, settings=settings)
    ada = room.enrol(ADA)
    turns, repeats = [], 0
    while (turn := room.queue.current(ada)) and len(turns) < 150:
        turns.append(turn)
        room.queue.judge(ada, turn.token, None)
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
    turns = room.judge_all(room.enrol(ADA))
    assert len(turns) == 18
    assert [turn.new_classes for turn in turns].count(True) == 1
    changed = next(place for place, turn in enumerate(turns) if turn.new_classes)
    assert len({turn.card.dataset for turn in turns[:changed]}) == 1


def test_a_restart_forgets_nothing(room: Room, rooms: Rooms, small_set: Path) -> None:
    """A new queue over the same file goes on where the old one was."""
    ada = room.enrol(ADA)
    room.queue.judge(ada, room.turn(ada).token, None)
    turn = room.turn(ada)
    again = rooms(small_set).queue
    assert again.current(ada) == turn
    assert again.progress(ada) == room.queue.progress(ada)
    assert again.undo(ada, turn.token) is StepOutcome.DONE


def test_an_original_is_met_seldom_and_nearer_each_time(rooms: Rooms, tmp_path: Path) -> None:
    """With a limit of two meetings over two sets, nobody meets an original a third time, or farther than before."""
    sets = [write_set(tmp_path / name, settings=3, originals=4, name=name) for name in ("one", "two")]
    room = rooms(*sets, settings=replace(PLAIN, meetings=2))
    met: dict[str, list[float]] = {}
    for turn in room.judge_all(room.enrol(ADA)):
        met.setdefault(original_of(turn.card.item), []).append(room.study.distances[turn.card.item.identifier])
    assert len(met) == 4
    for distances in met.values():
        assert len(distances) <= 2
        assert distances == sorted(distances, reverse=True)


def test_a_limit_of_meetings_needs_a_scorer(tmp_path: Path) -> None:
    """Without one nothing says which reconstruction is nearer."""
    with pytest.raises(InvalidOption, match="expected a scorer"):
        AnnotationStudy.read([write_set(tmp_path / "set")], replace(PLAIN, meetings=2))
