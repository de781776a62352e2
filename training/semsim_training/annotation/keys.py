"""Keys say what the images show that an annotator was handed. A key is kept apart from those images."""

import re
from pathlib import Path

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim_training.annotation.items import Shown
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.configuration import Description, FrozenModel

_PSEUDONYM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class ShownItem(FrozenModel):
    """The item that one tile or task shows."""

    dataset: str
    """The name of the item's reconstruction set."""
    item: str
    """The item's opaque name."""
    shown: Shown
    truth: str | None
    """The original's class; ``None`` for noise."""
    repeat: int = 0
    """1 where the annotator has seen the item before; otherwise 0."""


class SheetKey(Description):
    """The items that the tiles of an annotator's contact sheets show."""

    CONTENT = "a key of contact sheets"
    REFUSAL = InvalidAnnotations

    protocol: str
    annotator: str
    kind: AnnotatorKind | None
    """The kind of annotator; ``None`` where it was not known when the sheets were made."""
    seed: int
    classes: tuple[str, ...]
    """An answer may be an index into these."""
    code: str
    """Eight hexadecimal digits that tell these sheets from all others. They stand on every sheet and in the answers."""
    sheets: dict[str, str]
    """The sha256 of each sheet, by its file name."""
    tiles: dict[int, ShownItem]
    """The item on each tile, by the tile's number."""


class TaskKey(Description):
    """The items that the tasks of a Label Studio project show."""

    CONTENT = "a key of Label Studio tasks"
    REFUSAL = InvalidAnnotations

    protocol: str
    classes: tuple[str, ...]
    items: tuple[ShownItem, ...]


def write_key(key: SheetKey | TaskKey, path: Path) -> None:
    """Write a key where no file is yet: to overwrite a key would lose the judgements that it belongs to.

    Raises:
        InvalidOption: there is a file at ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x") as file:
            file.write(key.model_dump_json(indent=2) + "\n")
    except FileExistsError:
        raise InvalidOption(f"expected no file yet at {path}, where the key goes") from None


def pseudonym(name: str) -> str:
    """``name``, which can name an annotator and a file.

    Raises:
        InvalidOption: the name has other characters than letters, digits, dot, dash and underscore.
    """
    if not _PSEUDONYM.fullmatch(name):
        raise InvalidOption(f"expected an annotator's pseudonym of letters, digits, . _ and -, got {name!r}")
    return name
