"""The table of assignments: which item each annotator was given, and what became of it."""

import secrets
import sqlite3

from semsim_training.annotation.page.card_selection import ChosenCard, PastShowing

_OCCUPIED = """
SELECT item, count(*) AS count FROM assignment
WHERE repeat = 0 AND (state = 'judged' OR (state = 'open' AND leased_until > :now))
GROUP BY item
"""
_CURRENT = "SELECT * FROM assignment WHERE annotator = ? AND state = 'open' ORDER BY place LIMIT 1"
_LAST_JUDGED = """
SELECT judgement.number, judgement.collected_at, assignment.token, assignment.item
FROM judgement JOIN assignment USING (token)
WHERE annotator = ? AND undone_at IS NULL ORDER BY number DESC LIMIT 1
"""


def current(connection: sqlite3.Connection, annotator: str) -> sqlite3.Row | None:
    """The assignment that the annotator is at. An undone one comes before those that were shown after it."""
    row: sqlite3.Row | None = connection.execute(_CURRENT, (annotator,)).fetchone()
    return row


def last_judged(connection: sqlite3.Connection, annotator: str) -> sqlite3.Row | None:
    """The assignment of the annotator's last judgement that stands, with that judgement's number."""
    row: sqlite3.Row | None = connection.execute(_LAST_JUDGED, (annotator,)).fetchone()
    return row


def assign(connection: sqlite3.Connection, annotator: str, choice: ChosenCard, now: float, until: float) -> None:
    """Give a card to an annotator, with a lease from ``now`` to ``until``."""
    connection.execute(
        "INSERT INTO assignment VALUES (?, ?, ?, ?, (SELECT count(*) FROM assignment WHERE annotator = ?), "
        "'open', ?, ?)",
        (secrets.token_urlsafe(16), annotator, choice.card.item.identifier, choice.repeat, annotator, now, until),
    )


def close(connection: sqlite3.Connection, row: sqlite3.Row, state: str) -> None:
    """End an assignment. Where undo opened an image and its repeat, end both."""
    connection.execute(
        "UPDATE assignment SET state = ? WHERE annotator = ? AND item = ? AND state = 'open'",
        (state, row["annotator"], row["item"]),
    )


def occupied(connection: sqlite3.Connection, now: float) -> dict[str, int]:
    """The number of judgements and valid leases of each item, repeats apart."""
    return {row["item"]: row["count"] for row in connection.execute(_OCCUPIED, {"now": now})}


def past(connection: sqlite3.Connection, annotator: str) -> list[PastShowing]:
    """Everything that the annotator was given, in the order of places."""
    rows = connection.execute(
        "SELECT item, repeat, state FROM assignment WHERE annotator = ? ORDER BY place", (annotator,)
    )
    return [PastShowing(row["item"], row["repeat"], row["state"] == "judged") for row in rows]
