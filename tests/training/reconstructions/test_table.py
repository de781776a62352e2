"""Tables of what attacks achieved."""

from dataclasses import replace
from pathlib import Path

import pytest

from semsim import Scorer
from semsim.exceptions import InvalidOption
from semsim_training.markdown import write_between
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.reconstructions.scored_rows import score_rows
from semsim_training.reconstructions.table import Result, markdown, results
from tests.conftest import CPU
from tests.training.judged.made_up import MadeUpSet, made_up_set


@pytest.fixture(scope="module")
def scorer(calibrated_artifact: Path) -> Scorer:
    """A scorer of the small calibrated artifact."""
    return Scorer(calibrated_artifact, providers=CPU)


def table_of(made: MadeUpSet, scorer: Scorer, home: Path) -> tuple[list[Result], list[str]]:
    """The figures of a set and the lines of its table."""
    read = ReconstructionSet.read(made.write(home))
    return results(read, score_rows(read, read.rows, scorer)), markdown(read, scorer).splitlines()


def test_a_row_for_each_setting(made: Path, bundled: Scorer) -> None:
    """A set of real attacks: statuses and explained shares; a closed form is exact, matched, and leaks."""
    read = ReconstructionSet.read(made)
    figures = results(read, score_rows(read, read.rows, bundled))
    assert [figure.images for figure in figures] == [12, 12, 6, 12]
    (closed,) = (figure for figure in figures if figure.iterations == 0)
    assert closed.statuses == "6 matched"
    assert closed.explained == pytest.approx(1, abs=0.01)
    assert closed.psnr is not None
    assert closed.psnr.mean > 40
    assert closed.judged >= 5  # one of the made-up originals may show nothing
    assert (closed.recognizable, closed.labels_right, closed.verdict) == (closed.judged, 1.0, "leaks")
    assert closed.seconds is not None
    line = markdown(read, bundled).splitlines()[-2]
    assert "| 6 matched | 1.00 (" in line
    assert "| 100% | leaks |" in line


def test_diverged_attacks_take_no_part_in_means(scorer: Scorer, tmp_path: Path) -> None:
    """They are counted; a setting of which every attack diverged has no figures, and nobody can tell."""
    one = made_up_set(originals=4, settings=3)
    first, second, third = ([row for row in one.rows if row.setting == f"setting-{number}"] for number in range(3))
    gone = replace(first[0], status="diverged", psnr=-100.0)
    shares = (1.0, 0.8, 0.6, 0.6)
    found = [replace(row, status="matched", explained=share) for row, share in zip(second, shares, strict=True)]
    ended = [replace(row, status="diverged") for row in third]
    (partly, told, nothing), lines = table_of(
        replace(one, rows=(gone, *first[1:], *found, *ended)), scorer, tmp_path / "set"
    )
    assert partly.statuses == "1 diverged, 3 done"
    assert (partly.scored, partly.explained) == (3, None)
    assert partly.psnr is not None
    assert partly.psnr.mean == pytest.approx(sum(row.psnr for row in first[1:]) / 3)
    assert told.explained == pytest.approx(0.75)
    assert (nothing.leakage, nothing.psnr, nothing.verdict) == (None, None, "could not tell")
    assert "| 4 diverged | - | - | - | could not tell | - | - |" in lines[-1]


def test_a_setting_in_which_nothing_was_found_says_so(scorer: Scorer, tmp_path: Path) -> None:
    """It is not shown to leak by this attack; the table says neither safe nor zero."""
    one = made_up_set(originals=3, settings=2)
    rows = tuple(replace(row, status="nothing_found", explained=0.1) for row in one.rows if row.setting == "setting-1")
    _, lines = table_of(replace(one, rows=rows), scorer, tmp_path / "set")
    assert "| 3 nothing_found | 0.10 (-) |" in lines[-1]
    assert "not shown to leak by this attack" in lines[-1]


def test_without_originals_the_table_says_what_it_lacks(scorer: Scorer, tmp_path: Path) -> None:
    """PSNR is there, leakage and SSIM are not: never a zero; where some are missing, the means name their number."""
    one = made_up_set(originals=8, settings=1)
    home = one.write(tmp_path / "set")
    for row in one.rows:
        if row.dataset == "set-1":
            (home / "originals" / row.dataset / row.image).unlink()
    text = markdown(ReconstructionSet.read(home), scorer)
    assert "**Leakage and SSIM could not be computed for 4 of 8 reconstructions**" in text
    assert "expected the original image-04.png of set-1" in text
    assert ") of 4 |" in text.splitlines()[-1]
    (home / "originals").rename(home / "elsewhere")
    text = markdown(ReconstructionSet.read(home), scorer)
    assert "could not be computed for 8 of 8 reconstructions**, which says nothing about them: expected the" in text
    assert "| 8 done | - | - | - | could not tell |" in text.splitlines()[-1]


def test_a_model_without_calibration_is_told(small_scorer: Scorer, tmp_path: Path) -> None:
    """Leakage is left out, and the table says why."""
    _, lines = table_of(made_up_set(originals=2, settings=1), small_scorer, tmp_path / "set")
    assert any("**Leakage could not be computed**" in line and "no calibration" in line for line in lines)
    assert "could not tell" in lines[-1]


def test_written_between_marks_only(tmp_path: Path) -> None:
    """The rest of the page stays; a page without marks is refused."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- attacks -->\nold\n<!-- attacks -->\nafter\n")
    write_between(page, "attacks", "new")
    assert page.read_text() == "before\n<!-- attacks -->\nnew\n<!-- attacks -->\nafter\n"
    with pytest.raises(InvalidOption, match="expected two <!-- speed --> marks"):
        write_between(page, "speed", "new")
    with pytest.raises(InvalidOption, match="expected a page at"):
        write_between(tmp_path / "none.md", "speed", "new")


def test_originals_that_show_nothing_take_no_part_in_leakage(scorer: Scorer, tmp_path: Path) -> None:
    """The share of recognizable images is of those that have a leakage; the table says how many originals have none."""
    one = made_up_set(originals=4, settings=1).with_plain("image-00.png")
    (figure,), lines = table_of(one, scorer, tmp_path / "set")
    assert (figure.scored, figure.judged) == (4, 3)
    assert figure.recognizable is not None
    assert f"of 3 | {figure.recognizable / 3:.0%} |" in lines[-1]
    assert any("**1 originals show nothing that could be recognised**" in line for line in lines)
