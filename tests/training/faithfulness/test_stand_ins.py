"""How well vision models stand in for people."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from semsim.exceptions import InvalidAnnotations
from semsim_training.faithfulness.stand_ins import StandIns, read_stand_ins, stand_ins_table

RNG = np.random.default_rng(0)
EASE = RNG.uniform(0, 1, 120)
PEOPLE = RNG.uniform(0, 1, (120, 6)) < EASE[:, None]


def test_those_who_judge_alike_predict_people_and_those_who_guess_do_not() -> None:
    """Vision models that see what people see predict them as well as people do; guesses are worse than people."""
    alike = StandIns.of("all", PEOPLE, RNG.uniform(0, 1, (120, 3)) < EASE[:, None])
    guesses = StandIns.of("all", PEOPLE, RNG.uniform(0, 1, (120, 3)) < 0.5)
    for measured, low, high in ((alike, -0.15, 0.15), (guesses, -1.0, -0.3)):
        difference = measured.lookers_as_people - measured.people_as_people
        assert low < difference[0] < high
    assert abs(float(guesses.lookers_as_people[0])) < 0.2
    np.testing.assert_allclose(alike.people_as_people, guesses.people_as_people)


def write(path: Path, people: list[list[str]], lookers: list[list[str]]) -> Path:
    """A table of pictures of two kinds, whose class is cat."""
    kinds = ["edges", "noise"] * (len(people) // 2)
    columns = {"kind": kinds, "class": ["cat"] * len(people), "people": people, "lookers": lookers}
    pq.write_table(pa.table(columns), path)
    return path


def test_a_table_is_read_by_kind(tmp_path: Path) -> None:
    """Each kind has its line, and all have one together; what is not the class is wrong."""
    people = [["cat" if right else "na" for right in picture] for picture in PEOPLE]
    measured = read_stand_ins(write(tmp_path / "t.parquet", people, [one[:2] for one in people]))
    assert [(one.kind, one.pictures) for one in measured] == [("edges", 60), ("noise", 60), ("all", 120)]
    assert measured[2].people_right == pytest.approx(float(PEOPLE.mean()))
    text = stand_ins_table(measured)
    assert "Spearman: 2 vision models with 6 people | Spearman: 2 people with the other 4 |" in text
    assert text.count("\n") == 4


def test_what_is_no_such_table_is_refused(tmp_path: Path) -> None:
    """Missing columns, unequal numbers of answers, and fewer people than vision models are named."""
    pq.write_table(pa.table({"kind": ["edges"]}), tmp_path / "columns.parquet")
    with pytest.raises(InvalidAnnotations, match="expected a table with the columns kind, class, people, lookers"):
        read_stand_ins(tmp_path / "columns.parquet")
    with pytest.raises(InvalidAnnotations, match=r"as many answers in the column people .* got \[1, 2\]"):
        read_stand_ins(write(tmp_path / "unequal.parquet", [["cat"], ["cat", "cat"]], [["cat"], ["cat"]]))
    with pytest.raises(InvalidAnnotations, match=r"more people than vision models .* got 1 and 1"):
        read_stand_ins(write(tmp_path / "few.parquet", [["cat"], ["cat"]], [["cat"], ["cat"]]))


@pytest.mark.skipif("SEMSIM_DATA" not in os.environ, reason="SEMSIM_DATA does not name the data")
def test_the_people_who_named_degraded_pictures() -> None:
    """Over all pictures three vision models predict people about as well as three other people do."""
    table = Path(os.environ["SEMSIM_DATA"]) / "people" / "texture_shape.parquet"
    if not table.exists():
        pytest.skip(f"{table} is not there")
    everything = read_stand_ins(table)[-1]
    assert everything.pictures == 560
    assert everything.lookers_as_people[0] > everything.people_as_people[0] - 0.05
