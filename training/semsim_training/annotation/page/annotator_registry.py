"""The annotators who take part: pseudonyms that tell nothing, consent, and how far practice has come."""

import secrets
import time
from collections.abc import Callable

from semsim_training.annotation.page.annotation_study import PROTOCOL
from semsim_training.annotation.page.study_database import StudyDatabase

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # no i, l, o, 0, 1: a pseudonym is copied by hand


class AnnotatorRegistry:
    """The annotators of a study."""

    def __init__(self, database: StudyDatabase, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def enrol(self) -> str:
        """A new pseudonym, such as ``k7mq-x2vd``, for somebody who has just consented.

        It is too long to guess, because it is all that is needed to go on in another browser.
        """
        drawn = "".join(secrets.choice(_LETTERS) for _ in range(8))
        pseudonym = f"{drawn[:4]}-{drawn[4:]}"
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO annotator (pseudonym, consented_at, protocol) VALUES (?, ?, ?)",
                (pseudonym, self._clock(), PROTOCOL),
            )
        return pseudonym

    def find(self, typed: str) -> str | None:
        """The pseudonym that somebody typed, as it was given out; ``None`` where nobody has it."""
        letters = "".join(letter for letter in typed.lower() if letter.isalnum())
        pseudonym = f"{letters[:4]}-{letters[4:]}"
        with self._database.transaction() as connection:
            row = connection.execute("SELECT 1 FROM annotator WHERE pseudonym = ?", (pseudonym,)).fetchone()
        return None if row is None else pseudonym

    def practised(self, annotator: str) -> int:
        """The number of practice images that the annotator has answered."""
        with self._database.transaction() as connection:
            row = connection.execute("SELECT practised FROM annotator WHERE pseudonym = ?", (annotator,)).fetchone()
        return int(row["practised"])

    def practise(self, annotator: str, number: int) -> bool:
        """Count practice image ``number`` (from 0) as answered; ``False`` where it was not the next one."""
        with self._database.transaction() as connection:
            update = connection.execute(
                "UPDATE annotator SET practised = ? WHERE pseudonym = ? AND practised = ?",
                (number + 1, annotator, number),
            )
            return update.rowcount == 1
