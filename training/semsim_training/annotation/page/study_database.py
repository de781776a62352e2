"""The file that a study lives in: what annotators were shown, and their judgements. It never holds an image."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.page.annotation_study import PROTOCOL, AnnotationStudy

_SCHEMA = """
CREATE TABLE study (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE item (
    identifier TEXT PRIMARY KEY, dataset TEXT NOT NULL, shown TEXT NOT NULL, truth TEXT
) STRICT;
CREATE TABLE annotator (
    pseudonym TEXT PRIMARY KEY, consented_at REAL NOT NULL, protocol TEXT NOT NULL,
    practised INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE assignment (
    token TEXT PRIMARY KEY,
    annotator TEXT NOT NULL REFERENCES annotator,
    item TEXT NOT NULL REFERENCES item,
    repeat INTEGER NOT NULL,
    place INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'judged', 'skipped', 'expired')),
    served_at REAL NOT NULL,
    leased_until REAL NOT NULL,
    UNIQUE (annotator, item, repeat),
    UNIQUE (annotator, place)
) STRICT;
CREATE TABLE judgement (
    number INTEGER PRIMARY KEY,
    token TEXT NOT NULL REFERENCES assignment,
    answer TEXT,
    seconds REAL,
    judged_at REAL NOT NULL,
    undone_at REAL,
    collected_at REAL
) STRICT;
CREATE UNIQUE INDEX one_that_stands ON judgement (token) WHERE undone_at IS NULL;
"""


class StudyDatabase:
    """A study's open SQLite file. A committed transaction is on the disk, whatever happens to the process.

    Raises:
        InvalidAnnotations: the file is no SQLite database.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise InvalidAnnotations(f"expected an SQLite database at {path}: {error}") from error

    @classmethod
    def for_study(cls, path: Path, study: AnnotationStudy) -> Self:
        """The study's database at ``path``, made where there is none.

        Raises:
            InvalidAnnotations: the file is no such database, or belongs to another study or protocol.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        wanted = {
            "protocol": PROTOCOL,
            "sets": ", ".join(study.sets),
            "seed": str(study.settings.seed),
            "practice": str(study.settings.practice),
            "items": study.fingerprint,
        }
        with _closed_on_error(cls(path)) as database:
            with database.transaction() as connection:
                if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
                    _create(connection, study, wanted)
                described = _description(connection, path)
            for name, value in wanted.items():
                if described.get(name) != value:
                    raise InvalidAnnotations(
                        f"expected a database of this study at {path}: {name} {value}, got {described.get(name)}"
                    )
        return database

    @classmethod
    def existing(cls, path: Path) -> Self:
        """The database at ``path``, of any study.

        Raises:
            InvalidAnnotations: no file there, or it is no such database, or belongs to another protocol.
        """
        if not path.is_file():
            raise InvalidAnnotations(f"expected the database of an annotation page at {path}, got no file")
        with _closed_on_error(cls(path)) as database:
            with database.transaction() as connection:
                protocol = _description(connection, path).get("protocol")
            if protocol != PROTOCOL:
                raise InvalidAnnotations(f"expected a database of the protocol {PROTOCOL} at {path}, got {protocol}")
        return database

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction, one at a time: all that is done in it is kept, or nothing where an error leaves it."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has ended it already
                    self._connection.execute("ROLLBACK")
                raise


_Database = TypeVar("_Database", bound=StudyDatabase)


@contextmanager
def _closed_on_error(database: _Database) -> Iterator[_Database]:
    try:
        yield database
    except BaseException:
        database.close()
        raise


def _create(connection: sqlite3.Connection, study: AnnotationStudy, description: dict[str, str]) -> None:
    for statement in _SCHEMA.split(";"):  # executescript would commit first
        connection.execute(statement)
    connection.executemany("INSERT INTO study VALUES (?, ?)", description.items())
    connection.executemany(
        "INSERT INTO item VALUES (?, ?, ?, ?)",
        [(card.item.identifier, card.dataset, card.item.shown.value, card.item.truth) for card in study.cards],
    )


def _description(connection: sqlite3.Connection, path: Path) -> dict[str, str]:
    tables = {row["name"] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not {"study", "item", "annotator", "assignment", "judgement"} <= tables:
        raise InvalidAnnotations(f"expected the database of an annotation page at {path}, got other tables")
    return {row["name"]: row["value"] for row in connection.execute("SELECT name, value FROM study")}
