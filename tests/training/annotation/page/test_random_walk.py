"""Random steps of annotators, with time passing and restarts, break none of the page's promises."""

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from semsim_training.annotation.items import Shown
from semsim_training.annotation.page.annotation_study import AnnotationStudy, StudySettings
from semsim_training.annotation.page.card_queue import CardQueue, StepOutcome, Turn
from semsim_training.annotation.page.collect import collect
from semsim_training.annotation.page.study_database import StudyDatabase
from tests.training.annotation.page.clock import Clock
from tests.training.annotation.page.people import ADA, BOB, CYD, enrol
from tests.training.annotation.sets import write_set

SETTINGS = StudySettings(annotators=2, clean=0.15, noise=0.1, repeats=0.15, practice=2, repeat_distance=2)
WHO = st.integers(0, 2)


class Annotating(RuleBasedStateMachine):
    """Three annotators of a study in which two judge each of twelve images."""

    study: AnnotationStudy
    parent: Path
    """The folder for the databases."""

    @initialize()
    def begin(self) -> None:
        """Begin with an empty database."""
        self.folder = tempfile.TemporaryDirectory(dir=self.parent)
        self.clock = Clock()
        self.database = StudyDatabase.for_study(Path(self.folder.name) / "page.sqlite", self.study)
        self.queue = CardQueue(self.database, self.study, self.clock)
        self.names = [enrol(self.database, name) for name in (ADA, BOB, CYD)]
        self.shown: dict[str, list[Turn]] = {name: [] for name in self.names}
        self.expected: dict[str, str | None] = {}  # the answers that stand, by token

    def teardown(self) -> None:
        """Remove the database."""
        self.database.close()
        self.folder.cleanup()

    def _look(self, name: str) -> Turn | None:
        turn = self.queue.current(name)
        if turn is not None and turn.token not in {one.token for one in self.shown[name]}:
            self.shown[name].append(turn)
        return turn

    @rule(who=WHO, answer=st.sampled_from([None, "class_0", "class_1"]))
    def judge(self, who: int, answer: str | None) -> None:
        """Look, and judge what is shown."""
        name = self.names[who]
        turn = self._look(name)
        if turn is not None:
            assert self.queue.judge(name, turn.token, answer, 1.0) is StepOutcome.DONE
            self.expected[turn.token] = answer

    @rule(who=WHO)
    def judge_without_looking(self, who: int) -> None:
        """Judge the last image once more, perhaps too late."""
        name = self.names[who]
        if self.shown[name]:
            token = self.shown[name][-1].token
            if self.queue.judge(name, token, None) is StepOutcome.DONE:
                assert token not in self.expected
                self.expected[token] = None

    @rule(who=WHO)
    def skip(self, who: int) -> None:
        """Look, and skip."""
        turn = self._look(self.names[who])
        if turn is not None:
            assert self.queue.skip(self.names[who], turn.token) is StepOutcome.DONE

    @rule(who=WHO)
    def undo(self, who: int) -> None:
        """Look, and take the last judgement back."""
        name = self.names[who]
        turn = self._look(name)
        outcome = self.queue.undo(name, "" if turn is None else turn.token)
        assert outcome in (StepOutcome.DONE, StepOutcome.NOTHING, StepOutcome.SETTLED)
        if outcome is StepOutcome.DONE:
            back = self._look(name)
            assert back is not None
            del self.expected[back.token]

    @rule(seconds=st.sampled_from([1.0, 300.0, 601.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.now += seconds

    @rule()
    def restart(self) -> None:
        """The server starts again."""
        self.database.close()
        self.database = StudyDatabase.for_study(self.database.path, self.study)
        self.queue = CardQueue(self.database, self.study, self.clock)

    @rule()
    def collect(self) -> None:
        """Collect the judgements that stand in the table."""
        collect(self.database, Path(self.folder.name) / "table", self.clock)

    @invariant()
    def nothing_is_lost_or_made_up(self) -> None:
        """The judgements that stand are the ones that were acknowledged."""
        with self.database.transaction() as connection:
            rows = connection.execute("SELECT token, answer FROM judgement WHERE undone_at IS NULL").fetchall()
        assert {row["token"]: row["answer"] for row in rows} == self.expected

    @invariant()
    def nobody_is_given_an_item_twice(self) -> None:
        """Each annotator is given an item once, or twice where it is a repeated reconstruction."""
        for turns in self.shown.values():
            counts = Counter((turn.card.item.identifier, turn.card.item.shown) for turn in turns)
            assert all(count <= (2 if shown is Shown.RECONSTRUCTION else 1) for (_, shown), count in counts.items())

    @invariant()
    def nobody_sees_an_original_before_its_reconstruction(self) -> None:
        """No reconstruction is shown after its original, be it in practice or later."""
        for name, turns in self.shown.items():
            clean = {card.original for card in self.study.practice(name) if card.item.shown is Shown.CLEAN}
            for turn in turns:
                if turn.card.item.shown is Shown.CLEAN:
                    clean.add(turn.card.original)
                assert turn.card.item.shown is not Shown.RECONSTRUCTION or turn.card.original not in clean

    @invariant()
    def no_item_has_more_than_k(self) -> None:
        """A reconstruction has at most as many judgements and valid leases as annotators, repeats apart."""
        counts: Counter[str] = Counter()
        with self.database.transaction() as connection:
            for row in connection.execute("SELECT * FROM assignment JOIN item ON identifier = item WHERE repeat = 0"):
                held = row["state"] == "judged" or (row["state"] == "open" and row["leased_until"] > self.clock.now)
                counts[row["item"]] += held and row["shown"] == Shown.RECONSTRUCTION
        assert not counts or max(counts.values()) <= SETTINGS.annotators


def test_random_walks(tmp_path: Path, quick_folder: Path) -> None:
    """Three annotators take random steps."""
    Annotating.study = AnnotationStudy.read([write_set(tmp_path / "set")], SETTINGS)
    Annotating.parent = quick_folder
    machine = Annotating.TestCase
    machine.settings = hypothesis_settings(max_examples=12, stateful_step_count=50, deadline=None)
    machine().runTest()
