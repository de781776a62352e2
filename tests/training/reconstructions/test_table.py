"""Tables of what attacks achieved."""

from pathlib import Path

import pytest

from semsim.exceptions import InvalidOption
from semsim_training.markdown import write_between
from semsim_training.reconstructions.engines.engine import Engine
from semsim_training.reconstructions.generate import generate
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.reconstructions.table import markdown, results
from tests.training.reconstructions.small_grid import SETTINGS, grid


def test_a_row_for_each_setting(folder: Path, tmp_path: Path) -> None:
    """Counts, exactness, labels and seconds of a closed form."""
    generate(grid(folder, settings=SETTINGS[1:2]), tmp_path, tmp_path / "set", engine=Engine.HERE)
    (row,) = results(ReconstructionSet.read(tmp_path / "set"))
    assert (row.images, row.iterations, row.above_20_db, row.labels_right, row.diverged) == (6, 0, 1.0, 1.0, 0)
    assert row.psnr_mean > 40
    assert row.seconds > 0
    assert "near exact" in markdown(tmp_path / "set").splitlines()[-1]


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
