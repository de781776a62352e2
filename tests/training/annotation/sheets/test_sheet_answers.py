"""Answers to contact sheets."""

import json
from pathlib import Path
from typing import Any

import pytest

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim_training.annotation.items import Shown
from semsim_training.annotation.judgements import AnnotatorKind, Judgement, append, read
from semsim_training.annotation.keys import SheetKey, ShownItem, write_key
from semsim_training.annotation.sheets.sheet_answers import read_answers
from semsim_training.annotation.taken_judgements import TakenJudgements

KEY = SheetKey(
    protocol="sheets/1",
    annotator="ada",
    kind=None,
    seed=0,
    classes=("cat", "dog", "emu"),
    code="00ff00ff",
    sheets={},
    tiles={
        1: ShownItem(dataset="set", item="aa", shown=Shown.RECONSTRUCTION, truth="cat"),
        2: ShownItem(dataset="set", item="bb", shown=Shown.NOISE, truth=None),
        3: ShownItem(dataset="set", item="aa", shown=Shown.RECONSTRUCTION, truth="cat", repeat=1),
        4: ShownItem(dataset="set", item="cc", shown=Shown.CLEAN, truth="emu"),
    },
)
ANSWERS = {"sheets": "00ff00ff", "1": "cat", "2": -1, "3": 1, "4": 2}


def taken(tmp_path: Path, text: object) -> TakenJudgements:
    """Whatever is taken from a file of answers."""
    path = tmp_path / "answers.json"
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    return read_answers(KEY, path, AnnotatorKind.PERSON)


def answered(tmp_path: Path, text: object) -> tuple[Judgement, ...]:
    """The judgements of a file of which nothing is refused."""
    read = taken(tmp_path, text)
    assert not read.refused
    return read.judgements


def test_answers_go_round(tmp_path: Path) -> None:
    """Names, indices and -1 become judgements that the table holds and gives back."""
    judgements = answered(tmp_path, ANSWERS)
    assert [one.answer for one in judgements] == ["cat", None, "dog", "emu"]
    assert [(one.item, one.repeat, one.truth) for one in judgements] == [
        ("aa", 0, "cat"), ("bb", 0, None), ("aa", 1, "cat"), ("cc", 0, "emu"),
    ]  # fmt: skip
    assert {(one.dataset, one.annotator, one.kind, one.protocol) for one in judgements} == {
        ("set", "ada", AnnotatorKind.PERSON, "sheets/1")
    }
    append(tmp_path / "table", judgements)
    assert read(tmp_path / "table") == judgements
    assert answered(tmp_path, {name: answer for name, answer in ANSWERS.items() if name != "sheets"}) == judgements


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"4": None}, r"expected an answer for each of 4 tiles, got 3: none for 4"),
        ({"5": 1, "six": 1}, r"expected tiles 1 to 4, got 5, six"),
        ({"1": True}, r"index 0 to 2 or -1 for tile 1, got true"),
        ({"1": 1.0}, r"for tile 1, got 1.0"),
        ({"1": "1"}, r'for tile 1, got "1"'),
        ({"1": "Cat"}, r'for tile 1, got "Cat"'),
        ({"1": 3}, r"for tile 1, got 3"),
        ({"1": -2}, r"for tile 1, got -2"),
        ({"1": ["cat"]}, r'for tile 1, got ["cat"]'),
        ({"1": {"cat": 1}}, r'for tile 1, got {"cat": 1}'),
        ({"1": ""}, r'for tile 1, got ""'),
    ],
)
def test_a_bad_answer_is_refused_alone(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """It is told with its tile, and is no judgement; all other answers are taken."""
    read = taken(tmp_path, ANSWERS | change)
    (sentence,) = read.refused
    assert sentence.endswith(message)
    whole = answered(tmp_path, ANSWERS)
    assert read.judgements == tuple(one for tile, one in enumerate(whole, 1) if str(tile) not in change)


def test_several_answers_for_a_tile_are_none(tmp_path: Path) -> None:
    """The tile is refused, whatever its answers are."""
    read = taken(tmp_path, '{"1": 0, "2": -1, "1": 0, "3": 1, "4": 2}')
    assert [one.answer for one in read.judgements] == [None, "dog", "emu"]
    assert read.refused[0].endswith("for tile 1, got [0, 0]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "expected a JSON object of tile numbers to answers in .*, got list"),
        ("1: cat", "expected a JSON object of tile numbers to answers"),
        ("[" * 100_000, "expected a JSON object of tile numbers to answers"),
        ("{}", "expected judgements in .*, got none: .* got 0: none for 1, 2, 3, 4"),
        ('{"01": 1}', "expected tiles 1 to 4, got 01"),
        ('{"sheets": "11111111", "1": 0}', "expected answers to the sheets 00ff00ff .* got answers to '11111111'"),
        ('{"sheets": [], "1": 0}', r"expected answers to the sheets 00ff00ff .* got answers to '\[\]'"),
    ],
)
def test_files_that_are_no_answers_are_refused(tmp_path: Path, text: str, message: str) -> None:
    """Refused are other JSON, other text, an empty object, answers to other sheets, and no known tile."""
    with pytest.raises(InvalidAnnotations, match=message):
        taken(tmp_path, text)


def test_missing_tiles_are_named_up_to_five(tmp_path: Path) -> None:
    """The first five missing tiles are named and the others counted. A missing file is named, too."""
    tiles = {number: KEY.tiles[1].model_copy(update={"item": f"i{number}"}) for number in range(1, 21)}
    key = KEY.model_copy(update={"tiles": tiles})
    path = tmp_path / "answers.json"
    with pytest.raises(InvalidAnnotations, match=r"expected answers at .*: No such file"):
        read_answers(key, path, AnnotatorKind.PERSON)
    path.write_text('{"1": 0}')
    assert read_answers(key, path, AnnotatorKind.PERSON).refused == (
        "expected an answer for each of 20 tiles, got 1: none for 2, 3, 4, 5, 6 and 14 more",
    )


def test_who_answered_must_be_said_once(tmp_path: Path) -> None:
    """The key or the caller says it, or both say the same. A classifier does not answer sheets."""
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(ANSWERS))
    by_model = KEY.model_copy(update={"kind": AnnotatorKind.VISION_MODEL})
    assert {one.kind for one in read_answers(by_model, path).judgements} == {AnnotatorKind.VISION_MODEL}
    with pytest.raises(InvalidOption, match=r"expected --kind person or vision_model .* got none"):
        read_answers(KEY, path)
    with pytest.raises(InvalidOption, match="got classifier"):
        read_answers(KEY, path, AnnotatorKind.CLASSIFIER)
    with pytest.raises(InvalidOption, match="by a vision_model, as the key says, got --kind person"):
        read_answers(by_model, path, AnnotatorKind.PERSON)


def test_a_key_is_written_once_and_read_back(tmp_path: Path) -> None:
    """A key is not written over a file. A file that is no key is refused by its path."""
    write_key(KEY, tmp_path / "key.json")
    assert SheetKey.read(tmp_path / "key.json") == KEY
    with pytest.raises(InvalidOption, match="expected no file yet at"):
        write_key(KEY, tmp_path / "key.json")
    (tmp_path / "answers.json").write_text(json.dumps(ANSWERS))
    with pytest.raises(InvalidAnnotations, match=r"answers\.json does not fit the schema"):
        SheetKey.read(tmp_path / "answers.json")
