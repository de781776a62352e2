"""Collects the judgements of a page's database in the table of judgements."""

import time
from collections.abc import Callable
from pathlib import Path

from semsim_training.annotation.items import Shown
from semsim_training.annotation.judgements import AnnotatorKind, Judgement, append, read
from semsim_training.annotation.page.study_database import StudyDatabase

_SETTLE = "UPDATE judgement SET collected_at = ? WHERE undone_at IS NULL AND collected_at IS NULL"
_SETTLED = """
SELECT item.dataset, item.identifier, item.shown, item.truth, assignment.annotator, assignment.repeat,
       judgement.answer, judgement.seconds, annotator.protocol
FROM judgement JOIN assignment USING (token)
JOIN item ON item.identifier = assignment.item
JOIN annotator ON annotator.pseudonym = assignment.annotator
WHERE judgement.collected_at IS NOT NULL
ORDER BY judgement.number
"""


def collect(database: StudyDatabase, table: Path, clock: Callable[[], float] = time.time) -> int:
    """Append to ``table`` the judgements that it does not hold yet, and return how many these were.

    A judgement is first settled, so that nobody can undo it, then written: the next run finishes an interrupted one.

    Raises:
        InvalidAnnotations: the table holds files that are no judgements.
    """
    known = {judgement.key for judgement in read(table)}
    with database.transaction() as connection:
        connection.execute(_SETTLE, (clock(),))
        rows = connection.execute(_SETTLED).fetchall()
    judgements = [
        Judgement(
            dataset=row["dataset"],
            item=row["identifier"],
            shown=Shown(row["shown"]),
            annotator=row["annotator"],
            kind=AnnotatorKind.PERSON,
            answer=row["answer"],
            truth=row["truth"],
            protocol=row["protocol"],
            repeat=row["repeat"],
            seconds=row["seconds"],
        )
        for row in rows
    ]
    new = [judgement for judgement in judgements if judgement.key not in known]
    append(table, new)
    return len(new)
