"""Keys: what the images were that an annotator was handed. They are kept apart from what is handed out."""

import re
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim_training.annotation.items import Shown
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.configuration import read_description

_PSEUDONYM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class ShownItem(BaseModel):
    """What one tile or task shows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item: str
    shown: Shown
    truth: str | None
    """The original's class; ``None`` for noise."""
    repeat: int = 0
    """1 where the annotator has seen the item before."""


class SheetKey(BaseModel):
    """What the tiles of an annotator's contact sheets show."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: str
    dataset: str
    annotator: str
    kind: AnnotatorKind | None
    """Where it was known when the sheets were made."""
    seed: int
    classes: tuple[str, ...]
    """An answer may be an index of these."""
    code: str
    """Eight hexadecimal digits on every sheet and in its answers, which tell these sheets from all others."""
    sheets: dict[str, str]
    """File name to sha256."""
    tiles: dict[int, ShownItem]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a key.

        Raises:
            InvalidAnnotations: no key of contact sheets there.
        """
        return read_description(cls, path, InvalidAnnotations, "a key of contact sheets")


class TaskKey(BaseModel):
    """What the tasks of a Label Studio project show."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: str
    dataset: str
    classes: tuple[str, ...]
    items: tuple[ShownItem, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a key.

        Raises:
            InvalidAnnotations: no key of Label Studio tasks there.
        """
        return read_description(cls, path, InvalidAnnotations, "a key of Label Studio tasks")


def write_key(key: SheetKey | TaskKey, path: Path) -> None:
    """Write a key where there is none yet: without it the answers it belongs to are lost.

    Raises:
        InvalidOption: there is a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x") as file:
            file.write(key.model_dump_json(indent=2) + "\n")
    except FileExistsError:
        raise InvalidOption(f"expected no file yet at {path}, where the key goes") from None


def pseudonym(name: str) -> str:
    """``name``, if it can name an annotator and a file.

    Raises:
        InvalidOption: other characters than letters, digits, dot, dash and underscore.
    """
    if not _PSEUDONYM.fullmatch(name):
        raise InvalidOption(f"expected an annotator's pseudonym of letters, digits, . _ and -, got {name!r}")
    return name
