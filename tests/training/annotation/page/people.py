"""AnnotatorRegistry whose pseudonyms, and so whose gold and orders, are the same in every run."""

from semsim_training.annotation.page.annotation_study import PROTOCOL
from semsim_training.annotation.page.database import Database

ADA, BOB, CYD = "adaa-aaaa", "bobb-bbbb", "cydd-dddd"


def enrol(database: Database, pseudonym: str) -> str:
    """The pseudonym, enrolled."""
    with database.transaction() as connection:
        connection.execute("INSERT INTO annotator VALUES (?, 0, ?, 0)", (pseudonym, PROTOCOL))
    return pseudonym
