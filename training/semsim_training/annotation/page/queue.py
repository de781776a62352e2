"""Who gets which image next, and what came of it: every step one transaction, so a restart loses nothing."""

import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.items import Shown
from semsim_training.annotation.page.annotation_study import AnnotationStudy, Card
from semsim_training.annotation.page.card_selection import Choice, Past, Selection
from semsim_training.annotation.page.database import Database

_OCCUPIED = """
SELECT item, count(*) AS count FROM assignment
WHERE repeat = 0 AND (state = 'judged' OR (state = 'open' AND leased_until > :now))
GROUP BY item
"""
_OPEN = "SELECT * FROM assignment WHERE annotator = ? AND state = 'open' ORDER BY place LIMIT 1"
_LAST = """
SELECT judgement.number, judgement.collected_at, assignment.token, assignment.item
FROM judgement JOIN assignment USING (token)
WHERE annotator = ? AND undone_at IS NULL ORDER BY number DESC LIMIT 1
"""


class Outcome(StrEnum):
    """What came of an annotator's step."""

    DONE = "done"
    STALE = "stale"
    """Not the image that this annotator is at: sent twice, or from a second tab."""
    EXPIRED = "expired"
    """The lease ran out and others have the image now."""
    NOTHING = "nothing"
    """No answer to take back."""
    SETTLED = "settled"
    """The answer is in the table already, or its original has been shown since."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What an annotator is shown now."""

    token: str
    """Names this image for this annotator, and tells nothing."""
    card: Card
    classes: tuple[str, ...]
    new_classes: bool
    """Whether the answers are others than for the image before."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one annotator."""

    judged: int
    left: int
    """Reconstructions that could still be given to this annotator, with the one shown."""


class Queue:
    """Serves the cards of a study, each to as many annotators as wanted."""

    def __init__(self, database: Database, study: AnnotationStudy, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._study = study
        self._selection = Selection(study)
        self._clock = clock

    def current(self, annotator: str) -> Turn | None:
        """The image that the annotator is at, kept by a lease; ``None`` where there is nothing to show now."""
        now = self._clock()
        with self._database.transaction() as connection:
            while (row := _open(connection, annotator)) is None or not self._has_room(connection, row, now):
                if row is not None:
                    _close(connection, row, "expired")
                    continue
                choice = self._selection.next(annotator, _past(connection, annotator), _occupied(connection, now))
                if choice is None:
                    return None
                _assign(connection, annotator, choice, now, now + self._study.settings.lease_seconds)
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
        return Turn(row["token"], card, self._study.classes[card.dataset], changed)

    def answer(self, annotator: str, token: str, answer: str | None, seconds: float | None = None) -> Outcome:
        """Keep an answer: a class, or ``None`` for unrecognizable.

        ``seconds`` is the response time as the browser took it; it cannot be longer than this clock says.

        Raises:
            InvalidAnnotations: a class that the image's set does not have.
        """
        now = self._clock()
        with self._database.transaction() as connection:
            row, outcome = self._step(connection, annotator, token, now)
            if row is None:
                return outcome
            classes = self._study.classes[self._selection.by_item[row["item"]].dataset]
            if answer is not None and answer not in classes:
                raise InvalidAnnotations(f"expected a class of {', '.join(classes)}, got {answer!r}")
            if seconds is not None:
                seconds = max(0.0, min(seconds, now - row["served_at"]))
            connection.execute(
                "INSERT INTO judgement (token, answer, seconds, judged_at) VALUES (?, ?, ?, ?)",
                (token, answer, seconds, now),
            )
            connection.execute("UPDATE assignment SET state = 'judged' WHERE token = ?", (token,))
        return Outcome.DONE

    def skip(self, annotator: str, token: str) -> Outcome:
        """Give the image back to others; this annotator never sees it again."""
        with self._database.transaction() as connection:
            row, outcome = self._step(connection, annotator, token, self._clock())
            if row is not None:
                _close(connection, row, "skipped")
        return outcome

    def undo(self, annotator: str, token: str) -> Outcome:
        """Go back to the image of the last answer that stands; ``token`` is what is shown now, or empty.

        The answer is kept, marked as undone. What is shown now comes again afterwards.
        """
        now = self._clock()
        with self._database.transaction() as connection:
            shown = _open(connection, annotator)
            if token != ("" if shown is None else shown["token"]):
                return Outcome.STALE
            last = connection.execute(_LAST, (annotator,)).fetchone()
            if last is None:
                return Outcome.NOTHING
            card = self._selection.by_item[last["item"]]
            revealed = self._selection.revealed(annotator, _past(connection, annotator))
            if last["collected_at"] is not None or (
                card.item.shown is Shown.RECONSTRUCTION and card.original in revealed
            ):
                return Outcome.SETTLED
            connection.execute("UPDATE judgement SET undone_at = ? WHERE number = ?", (now, last["number"]))
            connection.execute(
                "UPDATE assignment SET state = 'open', served_at = ?, leased_until = ? WHERE token = ?",
                (now, now + self._study.settings.lease_seconds, last["token"]),
            )
        return Outcome.DONE

    def hold(self, annotator: str, token: str) -> Outcome:
        """Keep the image for an annotator who pauses, though not for ever."""
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
        """The card behind the token of an image that this annotator is shown; ``None`` for anything else."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT item FROM assignment WHERE annotator = ? AND token = ? AND state = 'open'", (annotator, token)
            ).fetchone()
        return None if row is None else self._selection.by_item[row["item"]]

    def progress(self, annotator: str) -> Progress:
        """How many answers stand, gold and repeats included, and what is left."""
        now = self._clock()
        with self._database.transaction() as connection:
            past, occupied = _past(connection, annotator), _occupied(connection, now)
            waiting = connection.execute(
                "SELECT count(*) FROM assignment WHERE annotator = ? AND state = 'open'", (annotator,)
            ).fetchone()[0]
        left = waiting + len(self._selection.candidates(annotator, past, occupied))
        return Progress(sum(one.judged for one in past), left)

    def _step(
        self, connection: sqlite3.Connection, annotator: str, token: str, now: float
    ) -> tuple[sqlite3.Row | None, Outcome]:
        """The assignment that ``token`` names where it is the one shown and still this annotator's."""
        row = _open(connection, annotator)
        if row is not None and row["token"] == token:
            if self._has_room(connection, row, now):
                return row, Outcome.DONE
            _close(connection, row, "expired")
            return None, Outcome.EXPIRED
        lost = connection.execute(
            "SELECT 1 FROM assignment WHERE annotator = ? AND token = ? AND state = 'expired'", (annotator, token)
        ).fetchone()
        return None, Outcome.EXPIRED if lost else Outcome.STALE

    def _has_room(self, connection: sqlite3.Connection, row: sqlite3.Row, now: float) -> bool:
        """Whether the lease is valid, or has run out without the image being needed by too many others."""
        if row["leased_until"] > now or row["repeat"]:
            return True
        card = self._selection.by_item[row["item"]]
        return (
            card.item.shown is not Shown.RECONSTRUCTION
            or _occupied(connection, now).get(row["item"], 0) < self._study.settings.annotators
        )


def _open(connection: sqlite3.Connection, annotator: str) -> sqlite3.Row | None:
    """The assignment that the annotator is at: undone ones come before what was shown after them."""
    row: sqlite3.Row | None = connection.execute(_OPEN, (annotator,)).fetchone()
    return row


def _assign(connection: sqlite3.Connection, annotator: str, choice: Choice, now: float, until: float) -> None:
    connection.execute(
        "INSERT INTO assignment VALUES (?, ?, ?, ?, (SELECT count(*) FROM assignment WHERE annotator = ?), "
        "'open', ?, ?)",
        (secrets.token_urlsafe(16), annotator, choice.card.item.identifier, choice.repeat, annotator, now, until),
    )


def _close(connection: sqlite3.Connection, row: sqlite3.Row, state: str) -> None:
    """End an assignment; where undo opened an image and its repeat, end both."""
    connection.execute(
        "UPDATE assignment SET state = ? WHERE annotator = ? AND item = ? AND state = 'open'",
        (state, row["annotator"], row["item"]),
    )


def _occupied(connection: sqlite3.Connection, now: float) -> dict[str, int]:
    return {row["item"]: row["count"] for row in connection.execute(_OCCUPIED, {"now": now})}


def _past(connection: sqlite3.Connection, annotator: str) -> list[Past]:
    rows = connection.execute(
        "SELECT item, repeat, state FROM assignment WHERE annotator = ? ORDER BY place", (annotator,)
    )
    return [Past(row["item"], row["repeat"], row["state"] == "judged") for row in rows]
