"""The table of judgements, written and read."""

from dataclasses import replace
from pathlib import Path

import pytest

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.items import Shown
from semsim_training.annotation.judgements import AnnotatorKind, Judgement, append, read

ONE = Judgement("set", "00ff", Shown.RECONSTRUCTION, "ada", AnnotatorKind.PERSON, "cat", "cat", "page/1", seconds=2.5)


def test_what_is_appended_is_read_in_order(tmp_path: Path) -> None:
    """Appending adds a file and leaves the others alone."""
    first = append(tmp_path / "table", [ONE])
    assert first is not None
    before = first.read_bytes()
    second = replace(ONE, annotator="bob", answer=None)
    append(tmp_path / "table", [second, replace(ONE, repeat=1)])
    assert read(tmp_path / "table") == (ONE, second, replace(ONE, repeat=1))
    assert first.read_bytes() == before
    assert append(tmp_path / "table", []) is None
    assert read(tmp_path / "nowhere") == ()


def test_a_second_judgement_is_refused_and_nothing_is_added(tmp_path: Path) -> None:
    """An annotator can judge an item only once, and a refused addition adds nothing."""
    append(tmp_path, [ONE])
    with pytest.raises(InvalidAnnotations, match="got 2 of 00ff in set by ada"):
        append(tmp_path, [replace(ONE, item="00aa"), replace(ONE, answer="dog")])
    assert read(tmp_path) == (ONE,)


def test_recognised_means_the_right_class() -> None:
    """Another class, no class, and any class for noise are not recognition."""
    assert ONE.recognised
    assert not replace(ONE, answer="dog").recognised
    assert not replace(ONE, answer=None).recognised
    assert not replace(ONE, answer=None, truth=None, shown=Shown.NOISE).recognised


def test_a_file_that_is_no_table_is_named(tmp_path: Path) -> None:
    """A stray file is an error that says its path."""
    (tmp_path / "00000-x.parquet").write_bytes(b"no")
    with pytest.raises(InvalidAnnotations, match="00000-x"):
        read(tmp_path)
