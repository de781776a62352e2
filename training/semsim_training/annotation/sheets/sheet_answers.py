"""Reads the answers to contact sheets and makes judgements of them; a bad answer is refused alone, and told."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim_training.annotation.judgements import AnnotatorKind, Judgement
from semsim_training.annotation.keys import SheetKey
from semsim_training.annotation.sheets.contact_sheets import CODE
from semsim_training.annotation.sheets.sheet_image import UNRECOGNIZABLE_INDEX
from semsim_training.annotation.taken_judgements import TakenJudgements, taken_from

_NAMED = 5


def read_answers(key: SheetKey, path: Path, kind: AnnotatorKind | None = None) -> TakenJudgements:
    """The judgements in the JSON file ``path`` by the annotator of ``key``: tile number to class, its index, or -1.

    A tile that is missing, unknown or twice there, or whose answer is no class, is refused alone.

    Raises:
        InvalidOption: neither the key nor ``kind`` says who answered, they differ, or it was no person or vision model.
        InvalidAnnotations: no JSON object, answers to other sheets, or no tile that can be taken.
    """
    answered_by = _kind(key, kind)
    answers = _read(path)
    code = answers.pop(CODE, key.code)
    if code != key.code:
        raise InvalidAnnotations(
            f"expected answers to the sheets {key.code} in {path}, got answers to {str(code)[:40]!r}"
        )
    tiles = {str(number): tile for number, tile in key.tiles.items()}
    judgements, refused = [], []
    unknown = [name for name in answers if name not in tiles]
    if unknown:
        refused.append(f"expected tiles 1 to {len(tiles)}, got {_some(unknown)}")
    missing = [name for name in tiles if answers.get(name) is None]
    if missing:
        count = len(tiles) - len(missing)
        refused.append(f"expected an answer for each of {len(tiles)} tiles, got {count}: none for {_some(missing)}")
    for name, tile in tiles.items():
        if answers.get(name) is None:
            continue
        try:
            answer = _class(answers[name], name, key.classes)
        except InvalidAnnotations as error:
            refused.append(str(error))
            continue
        judgements.append(
            Judgement(
                tile.dataset, tile.item, tile.shown, key.annotator, answered_by, answer, tile.truth, key.protocol,
                repeat=tile.repeat,
            )
        )  # fmt: skip
    return taken_from(path, judgements, refused)


def _kind(key: SheetKey, kind: AnnotatorKind | None) -> AnnotatorKind:
    answered_by = kind or key.kind
    if answered_by not in (AnnotatorKind.PERSON, AnnotatorKind.VISION_MODEL):
        raise InvalidOption(f"expected --kind person or vision_model for who answered, got {answered_by or 'none'}")
    if key.kind not in (None, answered_by):
        raise InvalidOption(f"expected answers by a {key.kind}, as the key says, got --kind {answered_by}")
    return answered_by


def _read(path: Path) -> dict[str, Any]:
    try:
        answers = json.loads(path.read_bytes(), object_pairs_hook=_each_once)
    except OSError as error:
        raise InvalidAnnotations(f"expected answers at {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidAnnotations(f"expected a JSON object of tile numbers to answers in {path}: {error}") from error
    if not isinstance(answers, dict):
        raise InvalidAnnotations(
            f"expected a JSON object of tile numbers to answers in {path}, got {type(answers).__name__}"
        )
    return answers


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The answers by tile; several answers for one tile as a list, which is none of them."""
    answers = dict(pairs)
    if len(answers) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        answers |= {name: [answer for other, answer in pairs if other == name] for name in counts if counts[name] > 1}
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
