"""Reads the answers to contact sheets and makes judgements of them: of all, or of none."""

import json
from pathlib import Path
from typing import Any

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim_training.annotation.judgements import AnnotatorKind, Judgement
from semsim_training.annotation.keys import SheetKey
from semsim_training.annotation.sheets.contact_sheets import CODE
from semsim_training.annotation.sheets.sheet_image import UNRECOGNIZABLE_INDEX

_NAMED = 5


def read_answers(key: SheetKey, path: Path, kind: AnnotatorKind | None = None) -> tuple[Judgement, ...]:
    """The judgements in the JSON file ``path`` by the annotator of ``key``: tile number to class, its index, or -1.

    Raises:
        InvalidOption: neither the key nor ``kind`` says who answered, they differ, or it was no person or vision model.
        InvalidAnnotations: no JSON object, answers to other sheets, tiles missing, unknown or twice, unknown classes.
    """
    answered_by = _kind(key, kind)
    answers = _read(path)
    code = answers.pop(CODE, key.code)
    if code != key.code:
        raise InvalidAnnotations(f"expected answers to the sheets {key.code} in {path}, got answers to {code!r}")
    tiles = {str(number): tile for number, tile in key.tiles.items()}
    unknown = [name for name in answers if name not in tiles]
    if unknown:
        raise InvalidAnnotations(f"expected tiles 1 to {len(tiles)} in {path}, got {_some(unknown)}")
    missing = [name for name in tiles if answers.get(name) is None]
    if missing:
        raise InvalidAnnotations(
            f"expected an answer for each of {len(tiles)} tiles in {path}, "
            f"got {len(tiles) - len(missing)}: none for {_some(missing)}"
        )
    return tuple(
        Judgement(
            key.dataset,
            tile.item,
            tile.shown,
            key.annotator,
            answered_by,
            _class(answers[name], name, key.classes),
            tile.truth,
            key.protocol,
            repeat=tile.repeat,
        )
        for name, tile in tiles.items()
    )


def _kind(key: SheetKey, kind: AnnotatorKind | None) -> AnnotatorKind:
    answered_by = kind or key.kind
    if answered_by not in (AnnotatorKind.PERSON, AnnotatorKind.VISION_MODEL):
        raise InvalidOption(f"expected --kind person or vision_model for who answered, got {answered_by or 'none'}")
    if key.kind not in (None, answered_by):
        raise InvalidOption(f"expected answers by a {key.kind}, as the key says, got --kind {answered_by}")
    return answered_by


def _read(path: Path) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if twice:
            raise InvalidAnnotations(f"expected each tile once in {path}, got more than one answer for {_some(twice)}")
        return dict(pairs)

    try:
        answers = json.loads(path.read_bytes(), object_pairs_hook=once)
    except OSError as error:
        raise InvalidAnnotations(f"expected answers at {path}: {error.strerror}") from error
    except ValueError as error:
        raise InvalidAnnotations(f"expected a JSON object of tile numbers to answers in {path}: {error}") from error
    if not isinstance(answers, dict):
        raise InvalidAnnotations(
            f"expected a JSON object of tile numbers to answers in {path}, got {type(answers).__name__}"
        )
    return answers


def _class(answer: Any, tile: str, classes: tuple[str, ...]) -> str | None:
    # A boolean is an int to Python, and 3.0 equals 3: neither is an answer that somebody meant.
    if type(answer) is int and UNRECOGNIZABLE_INDEX <= answer < len(classes):
        return None if answer == UNRECOGNIZABLE_INDEX else classes[answer]
    if isinstance(answer, str) and answer in classes:
        return answer
    raise InvalidAnnotations(
        f"expected a class, its index 0 to {len(classes) - 1} or {UNRECOGNIZABLE_INDEX} for tile {tile}, "
        f"got {json.dumps(answer)[:60]}"
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(name[:20] for name in names[:_NAMED])}{more}"
