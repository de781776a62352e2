"""Gives annotators one card after the other, and keeps their judgements.

Each step is one transaction, so a restart loses nothing.
"""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.items import Shown
from semsim_training.annotation.page import assignments
from semsim_training.annotation.page.annotation_study import AnnotationStudy, Card
from semsim_training.annotation.page.card_selection import CardSelection
from semsim_training.annotation.page.study_database import StudyDatabase


class StepOutcome(StrEnum):
    """The result of an annotator's step."""

    DONE = "done"
    STALE = "stale"
    """The annotator is at another image: the step was sent twice, or from a second tab."""
    EXPIRED = "expired"
    """The lease ran out, and others have the image now."""
    NOTHING = "nothing"
    """There is no judgement to take back."""
    SETTLED = "settled"
    """The judgement is collected already, or the original has been shown since."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The image that an annotator is shown now."""

    token: str
    """Names this image for this annotator, and tells nothing about it."""
    card: Card
    classes: tuple[str, ...]
    new_classes: bool
    """True where other classes are offered than for the image before."""


@dataclass(frozen=True, slots=True)
class AnnotatorProgress:
    """The progress of one annotator."""

    judged: int
    """The number of judgements that stand, those of gold items and repeats included."""
    left: int
    """The number of reconstructions that the annotator could still be given, the one shown included."""


class CardQueue:
    """Gives out the cards of a study, each to as many annotators as the study wants."""

    def __init__(self, database: StudyDatabase, study: AnnotationStudy, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._study = study
        self._selection = CardSelection(study)
        self._clock = clock

    def current(self, annotator: str) -> Turn | None:
        """The image that the annotator is at, kept by a lease; ``None`` where nothing is left to show now."""
        now = self._clock()
        with self._database.transaction() as connection:
            row = self._assigned(connection, annotator, now)
            if row is None:
                return None
            connection.execute(
                "UPDATE assignment SET leased_until = ? WHERE token = ?",
                (now + self._study.settings.lease_seconds, row["token"]),
            )
            before = connection.execute(
                "SELECT item FROM assignment WHERE annotator = ? AND place < ? ORDER BY place DESC LIMIT 1",
                (annotator, row["place"]),
            ).fetchone()
        card = self._selection.by_item[row["item"]]
        changed = before is not None and self._selection.by_item[before["item"]].dataset != card.dataset
        return Turn(row["token"], card, self._study.classes(card), changed)

    def judge(self, annotator: str, token: str, answer: str | None, seconds: float | None = None) -> StepOutcome:
        """Keep a judgement, whose answer is a class or ``None`` for unrecognizable.

        ``seconds`` is the response time that the browser took. It is cut to what this clock allows.

        Raises:
            InvalidAnnotations: the image's set does not have the class.
        """
        now = self._clock()
        with self._database.transaction() as connection:
            row, outcome = self._step(connection, annotator, token, now)
            if row is None:
                return outcome
            classes = self._study.classes(self._selection.by_item[row["item"]])
            if answer is not None and answer not in classes:
                raise InvalidAnnotations(f"expected a class of {', '.join(classes)}, got {answer!r}")
            if seconds is not None:
                seconds = max(0.0, min(seconds, now - row["served_at"]))
            connection.execute(
                "INSERT INTO judgement (token, answer, seconds, judged_at) VALUES (?, ?, ?, ?)",
                (token, answer, seconds, now),
            )
            connection.execute("UPDATE assignment SET state = 'judged' WHERE token = ?", (token,))
        return StepOutcome.DONE

    def skip(self, annotator: str, token: str) -> StepOutcome:
        """Leave the image to others. This annotator never sees it again."""
        with self._database.transaction() as connection:
            row, outcome = self._step(connection, annotator, token, self._clock())
            if row is not None:
                assignments.close(connection, row, "skipped")
        return outcome

    def undo(self, annotator: str, token: str) -> StepOutcome:
        """Go back to the image of the last judgement that stands. ``token`` is of the image shown now, or empty.

        The judgement is kept and marked as undone. The image shown now comes again afterwards.
        """
        now = self._clock()
        with self._database.transaction() as connection:
            shown = assignments.current(connection, annotator)
            if token != ("" if shown is None else shown["token"]):
                return StepOutcome.STALE
            last = assignments.last_judged(connection, annotator)
            if last is None:
                return StepOutcome.NOTHING
            card = self._selection.by_item[last["item"]]
            revealed = self._selection.revealed(annotator, assignments.past(connection, annotator))
            if last["collected_at"] is not None or (
                card.item.shown is Shown.RECONSTRUCTION and card.original in revealed
            ):
                return StepOutcome.SETTLED
            connection.execute("UPDATE judgement SET undone_at = ? WHERE number = ?", (now, last["number"]))
            connection.execute(
                "UPDATE assignment SET state = 'open', served_at = ?, leased_until = ? WHERE token = ?",
                (now, now + self._study.settings.lease_seconds, last["token"]),
            )
        return StepOutcome.DONE

    def hold(self, annotator: str, token: str) -> StepOutcome:
        """Keep the image for an annotator who pauses, up to the longest hold."""
        now, settings = self._clock(), self._study.settings
        with self._database.transaction() as connection:
            row, outcome = self._step(connection, annotator, token, now)
            if row is not None:
                until = min(now + settings.lease_seconds, row["served_at"] + settings.longest_hold_seconds)
                connection.execute(
                    "UPDATE assignment SET leased_until = max(leased_until, ?) WHERE token = ?", (until, token)
                )
        return outcome

    def shown(self, annotator: str, token: str) -> Card | None:
        """The card of the image that this annotator is shown under ``token``; ``None`` for any other token."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT item FROM assignment WHERE annotator = ? AND token = ? AND state = 'open'", (annotator, token)
            ).fetchone()
        return None if row is None else self._selection.by_item[row["item"]]

    def progress(self, annotator: str) -> AnnotatorProgress:
        """The number of the annotator's judgements that stand, and of the reconstructions left."""
        now = self._clock()
        with self._database.transaction() as connection:
            past, occupied = assignments.past(connection, annotator), assignments.occupied(connection, now)
            waiting = connection.execute(
                "SELECT count(*) FROM assignment WHERE annotator = ? AND state = 'open'", (annotator,)
            ).fetchone()[0]
        left = waiting + len(self._selection.candidates(annotator, past, occupied))
        return AnnotatorProgress(sum(showing.judged for showing in past), left)

    def _assigned(self, connection: sqlite3.Connection, annotator: str, now: float) -> sqlite3.Row | None:
        """The annotator's assignment, a new one where there is none or it expired; ``None`` where no card is left."""
        while True:
            row = assignments.current(connection, annotator)
            if row is not None and self._has_room(connection, row, now):
                return row
            if row is not None:
                assignments.close(connection, row, "expired")
                continue
            past, occupied = assignments.past(connection, annotator), assignments.occupied(connection, now)
            choice = self._selection.next_card(annotator, past, occupied)
            if choice is None:
                return None
            assignments.assign(connection, annotator, choice, now, now + self._study.settings.lease_seconds)

    def _step(
        self, connection: sqlite3.Connection, annotator: str, token: str, now: float
    ) -> tuple[sqlite3.Row | None, StepOutcome]:
        """The assignment that ``token`` names, if it is the one shown and is still this annotator's."""
        row = assignments.current(connection, annotator)
        if row is not None and row["token"] == token:
            if self._has_room(connection, row, now):
                return row, StepOutcome.DONE
            assignments.close(connection, row, "expired")
            return None, StepOutcome.EXPIRED
        lost = connection.execute(
            "SELECT 1 FROM assignment WHERE annotator = ? AND token = ? AND state = 'expired'", (annotator, token)
        ).fetchone()
        return None, StepOutcome.EXPIRED if lost else StepOutcome.STALE

    def _has_room(self, connection: sqlite3.Connection, row: sqlite3.Row, now: float) -> bool:
        """True where the lease is valid, or where it has run out and the image still lacks annotators."""
        if row["leased_until"] > now or row["repeat"]:
            return True
        card = self._selection.by_item[row["item"]]
        return (
            card.item.shown is not Shown.RECONSTRUCTION
            or assignments.occupied(connection, now).get(row["item"], 0) < self._study.settings.annotators
        )
