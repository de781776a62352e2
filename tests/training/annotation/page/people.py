"""Annotators whose pseudonyms, and so whose gold items and orders, are the same in every run."""

from semsim_training.annotation.page.annotation_study import PROTOCOL
from semsim_training.annotation.page.study_database import StudyDatabase

ADA, BOB, CYD = "adaa-aaaa", "bobb-bbbb", "cydd-dddd"


def enrol(database: StudyDatabase, pseudonym: str) -> str:
    """Enrol an annotator under this pseudonym, and return it."""
    with database.transaction() as connection:
        connection.execute("INSERT INTO annotator VALUES (?, 0, ?, 0)", (pseudonym, PROTOCOL))
    return pseudonym
