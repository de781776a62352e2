"""Judged sets: the judgements that count, columns, and pictures at a size."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semsim.exceptions import InvalidAnnotations, InvalidDataset
from semsim.images import resize
from semsim_training.annotation.items import Shown
from semsim_training.annotation.judgements import AnnotatorKind, append
from semsim_training.attacks.reconstruction import Status
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.judged.judged_sources import JudgedSource, JudgedSources
from semsim_training.judged.pair import Pair, pairs_of
from semsim_training.judged.sized_set import SizedSet
from tests.training.judged.made_up import judgements_of, made_up_set

MODEL = AnnotatorKind.VISION_MODEL
SET = made_up_set(originals=4, settings=3)
PAIRS = pairs_of(SET)
RECOGNISED = [2, 1, 0] * 4


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The judgements of two vision models on every pair, of a person on half of them, and some that must not count."""
    judgements = judgements_of(PAIRS, RECOGNISED, annotators=2, kind=MODEL)
    people = judgements_of(PAIRS[:6], [0] * 6, annotators=1, kind=AnnotatorKind.PERSON)
    people = [replace(one, annotator="ada") for one in people]
    append(
        tmp_path,
        [
            *judgements,
            *people,
            replace(judgements[0], repeat=1, answer=None),
            replace(judgements[0], dataset="other"),
            replace(judgements[0], item="00", shown=Shown.CLEAN),
        ],
    )
    return tmp_path


def test_judgements_of_one_kind_count_once(table: Path) -> None:
    """Repeats, gold, other sets and other kinds do not count; an item that was not judged is left out."""
    judged = JudgedSet.read(SET, table, MODEL)
    assert (judged.name, judged.kind, judged.pairs) == ("made-up", MODEL, PAIRS)
    assert judged.recognised.tolist() == RECOGNISED
    assert judged.annotators.tolist() == [2] * 12
    assert judged.items == tuple(pair.item for pair in PAIRS)
    assert judged.settings[:4] == ("setting-0", "setting-1", "setting-2", "setting-0")
    assert judged.originals[2:4] == ("set-0/image-00.png", "set-0/image-01.png")
    by_people = JudgedSet.read(SET, table, AnnotatorKind.PERSON)
    assert by_people.pairs == PAIRS[:6]
    assert (by_people.recognised.tolist(), by_people.annotators.tolist()) == ([0] * 6, [1] * 6)
    with pytest.raises(InvalidAnnotations, match=f"judgements of made-up by annotators of kind classifier in {table}"):
        JudgedSet.read(SET, table, AnnotatorKind.CLASSIFIER)


def test_judgements_of_other_items_are_refused(table: Path) -> None:
    """The error counts the items that are not in the set, and names one."""
    append(table, [replace(judgements_of(PAIRS, RECOGNISED, kind=MODEL)[0], item="ff", annotator="bob")])
    with pytest.raises(InvalidAnnotations, match=r"in the set, got 1 others, such as ff"):
        JudgedSet.read(SET, table, MODEL)


def test_a_diverged_attack_made_no_pair() -> None:
    """The rows of diverged attacks are left out."""
    diverged = replace(SET, rows=(replace(SET.rows[0], status=Status.DIVERGED.value), *SET.rows[1:]))
    assert not diverged.rows[0].done
    assert [pair.row for pair in pairs_of(diverged)] == list(SET.rows[1:])


def test_half_is_no_majority(table: Path) -> None:
    """Shares are the annotators who recognised over those who judged, and a majority is more than half."""
    judged = JudgedSet.read(SET, table, MODEL)
    assert judged.shares[:3].tolist() == [1, 0.5, 0]
    assert judged.majority[:3].tolist() == [True, False, False]


def test_items_are_taken_by_columns(table: Path) -> None:
    """Columns stay together; values come once, in order; a split without items is refused."""
    judged = JudgedSet.read(SET, table, MODEL)
    some = judged.take(judged.where(lambda row: row.split, "train") & judged.where(lambda row: row.victim, "victim-0"))
    assert [pair.row for pair in some.pairs] == [
        row for row in SET.rows if row.split == "train" and row.victim == "victim-0"
    ]
    assert some.items == tuple(pair.item for pair in some.pairs)
    assert some.recognised.tolist() == [2, 0] * 2
    assert some.setting_names == some.values(lambda row: row.setting) == ("setting-0", "setting-2")
    assert some.original_names == ("set-0/image-00.png", "set-0/image-01.png")
    assert judged.of_splits(["test"]).values(lambda row: row.split) == ("test",)
    with pytest.raises(InvalidAnnotations, match="expected judged reconstructions of validation, got none"):
        some.of_splits(["validation"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"items": ("a",) * 12}, "expected each item once in made-up, got a and 0 more"),
        ({"annotators": np.ones(12, dtype=np.int64)}, "no more recognitions than annotators, got 4 items of made-up"),
        ({"annotators": np.zeros(12, dtype=np.int64)}, "at least one annotator .* got 12 items"),
    ],
)
def test_counts_that_cannot_be_are_refused(table: Path, changes: dict[str, Any], message: str) -> None:
    """The error names what is wrong, and how many."""
    with pytest.raises(InvalidAnnotations, match=message):
        replace(JudgedSet.read(SET, table, MODEL), **changes)


def test_pictures_come_at_one_size(table: Path) -> None:
    """Originals are read once, reconstructions in the order of the items; a part keeps all originals."""
    judged = JudgedSet.read(SET, table, MODEL)
    sized = SizedSet.of(judged, 16)
    assert (len(sized), len(sized.originals)) == (12, 4)
    assert sized.original_of.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    for place, pair in enumerate(PAIRS):
        np.testing.assert_array_equal(sized.reconstructions[place], resize(pair.reconstruction(), 16, 16))
        np.testing.assert_array_equal(sized.originals[sized.original_of[place]], resize(pair.original(), 16, 16))
    part = sized.take(judged.where(lambda row: row.split, "test"))
    assert (len(part), len(part.originals), part.original_of.tolist()) == (3, 4, [3, 3, 3])
    np.testing.assert_array_equal(part.reconstructions, sized.reconstructions[9:])
    assert part.labels.tolist() == ["", "", "", "class-0"]


def test_several_sets_are_read_as_one(tmp_path: Path) -> None:
    """Sets and tables on disk follow each other; the annotators are told with names and protocols."""
    sources = []
    for name in ("first", "second"):
        made_up = replace(SET, name=name)
        made_up.write(tmp_path / name)
        append(tmp_path / f"{name}-annotations", judgements_of(pairs_of(made_up), RECOGNISED))
        sources.append(JudgedSource(dataset=Path(name), annotations=Path(f"{name}-annotations")))
    both = JudgedSources(sets=tuple(sources), kind=AnnotatorKind.CLASSIFIER)
    judged = both.read(tmp_path)
    assert judged.recognised.tolist() == RECOGNISED * 2
    assert judged.items == (
        *_items(pairs_of(replace(SET, name="first"))),
        *_items(pairs_of(replace(SET, name="second"))),
    )
    assert [pair.row for pair in judged.pairs] == [*SET.rows, *SET.rows]
    np.testing.assert_array_equal(judged.pairs[13].original(), PAIRS[1].original())
    annotators = both.annotators(tmp_path)
    assert (annotators.kind, annotators.count) == ("classifier", 3)
    assert annotators.detail == "made-up-0, made-up-1, made-up-2; made-up/1"


def _items(pairs: tuple[Pair, ...]) -> tuple[str, ...]:
    return tuple(pair.item for pair in pairs)


def test_one_name_is_one_original() -> None:
    """Two sets that have different originals by one name are refused: one would be scored against the other's."""
    parts = [
        JudgedSet(
            "part", MODEL, (item,), ("setting",), (PAIRS[0].original_name,), np.array([1]), np.array([1]), (pair,)
        )
        for item, pair in (("a", PAIRS[0]), ("b", replace(PAIRS[0], row=replace(PAIRS[0].row, original_sha256="00"))))
    ]
    with pytest.raises(InvalidDataset, match="expected one original by the name"):
        SizedSet.of(JudgedSet.joined("all", parts), 32)
