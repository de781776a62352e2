"""Studies from tables of judgements."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from semsim.exceptions import InvalidAnnotations, InvalidOption, SemSimError
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.faithfulness.judgement_table import JudgementColumns as Columns
from semsim_training.faithfulness.judgement_table import read_judgement_table
from semsim_training.faithfulness.metric_values import Direction

PERSON = AnnotatorKind.PERSON
CSV = """setting,image_id,true_label,annotator_1,annotator_2,mse,psnr,mine,note
a,1,012,012,-1,1.5,inf,1,x
a,2,cat,12,,2,30,2,y
b,1,012,12,012,3,20,3,z
"""


def test_judgements_are_compared_as_text_and_blanks_are_none(tmp_path: Path) -> None:
    """012 is not 12, an empty cell is no judgement, and columns of no known direction are named as not used."""
    path = tmp_path / "judgements.csv"
    path.write_text(CSV)
    read = read_judgement_table(path, PERSON)
    assert read.study.judged.recognised.tolist() == [1, 0, 1]
    assert read.study.judged.annotators.tolist() == [2, 1, 2]
    assert read.study.judged.items == ("a/1", "a/2", "b/1")
    assert [metric.name for metric in read.study.metrics] == ["mse", "psnr"]
    assert read.study.metrics[1].infinite == 1
    assert read.unused == ("mine", "note")
    assert read.study.judged.name == "judgements"


def test_a_direction_adds_a_metric_and_parquet_is_the_same(tmp_path: Path) -> None:
    """Whole numbers that became floats beside blanks are the labels that they were."""
    table = {"s": ["a", "b"], "o": [1, 2], "y": [3, 4], "v_1": [3.0, None], "v_2": [1.0, 4.0], "mine": [0.1, 0.2]}
    pq.write_table(pa.table(table), tmp_path / "judgements.parquet")
    columns = Columns("s", "o", "y", "v_", ("mine",))
    read = read_judgement_table(tmp_path / "judgements.parquet", PERSON, columns, {"mine": Direction.UP})
    assert read.study.judged.recognised.tolist() == [1, 1]
    assert read.study.judged.annotators.tolist() == [2, 1]
    assert read.unused == ()


@pytest.mark.parametrize(
    ("text", "columns", "error", "message"),
    [
        (
            CSV,
            Columns(original="name"),
            InvalidAnnotations,
            "expected a column name in .* got setting, image_id",
        ),
        (CSV, Columns(annotators="who"), InvalidAnnotations, "columns that begin with who"),
        (CSV, Columns(metrics=("mine",)), InvalidOption, "--direction mine=up or mine=down"),
        (CSV.replace("30", "many"), Columns(), InvalidAnnotations, "numbers in the column psnr"),
        (CSV.replace("012", "").replace("cat", ""), Columns(), InvalidAnnotations, "got none: row 1: .* label"),
        (CSV[: CSV.index("\n") + 1], Columns(), InvalidAnnotations, r"expected judgements in .*, got none$"),
        ("", Columns(), InvalidAnnotations, "expected a table of judgements at"),
    ],
)
def test_a_table_that_will_not_do_is_refused(
    tmp_path: Path, text: str, columns: Columns, error: type[SemSimError], message: str
) -> None:
    """The error names the column."""
    path = tmp_path / "judgements.csv"
    path.write_text(text)
    with pytest.raises(error, match=message):
        read_judgement_table(path, PERSON, columns)


@pytest.mark.parametrize(
    ("text", "items", "refused"),
    [
        (CSV.replace("a,2,cat", "a,2, "), ["a/1", "b/1"], ["row 2: expected the item's label, got none"]),
        (CSV.replace("a,2,cat", ",2,cat"), ["a/1", "b/1"], ["row 2: expected the item's setting, got none"]),
        (CSV.replace("cat,12,,", "cat, ,,"), ["a/1", "b/1"], ["row 2: expected a judgement of a/2, got none"]),
        (
            CSV.replace("cat,12,,", "cat,12,Cat,"),
            ["a/1", "b/1"],
            ["row 2: expected cat or another answer for a/2, got Cat"],
        ),
        (
            CSV.replace("b,1,012,12,012", "a,1,012,12,012"),
            ["a/2"],
            [f"row {row}: expected each item once, got a/1 2 times" for row in (1, 3)],
        ),
        (CSV + "b,2,cat\n", ["a/1", "a/2", "b/1"], ["expected 9 cells in a row, got 3: 'b,2,cat'"]),
        (CSV.replace("cat,12,,", "cat, cat ,,"), ["a/1", "a/2", "b/1"], []),
    ],
)
def test_a_bad_row_is_refused_alone(tmp_path: Path, text: str, items: list[str], refused: list[str]) -> None:
    """It is told, and counts neither as recognised nor as not recognised."""
    path = tmp_path / "judgements.csv"
    path.write_text(text)
    read = read_judgement_table(path, PERSON)
    assert list(read.study.judged.items) == items
    assert list(read.refused) == refused
    assert {len(metric.values) for metric in read.study.metrics} == {len(items)}
    cat_was_named = "cat, cat ," in text
    assert read.study.judged.recognised.sum() == cat_was_named + len(set(items) - {"a/2"})


def test_other_files_are_refused(tmp_path: Path) -> None:
    """A missing file, another format and the direction of a metric that is not there are errors that say so."""
    with pytest.raises(InvalidAnnotations, match=r"\.csv or \.parquet, got"):
        read_judgement_table(tmp_path / "judgements.xlsx", PERSON)
    with pytest.raises(InvalidAnnotations, match="expected a table of judgements at"):
        read_judgement_table(tmp_path / "judgements.parquet", PERSON)
    (tmp_path / "judgements.csv").write_text(CSV)
    with pytest.raises(InvalidOption, match=r"expected --direction of one of setting, .* got other"):
        read_judgement_table(tmp_path / "judgements.csv", PERSON, directions={"other": Direction.UP})
