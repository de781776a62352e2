"""The command line of finished reconstruction sets: pictures, tables and comparisons."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from semsim_training.reconstructions.unexplained_settings import unexplained_settings
from tests.conftest import ROOT
from tests.training.judged.made_up import made_up_set
from tests.training.subcommands.command_line import Command

COMMITTED, SMALLER = ROOT / "datasets" / "cifar10", ROOT / "datasets" / "caltech101"


def test_gallery_of_a_committed_set(semsim: Command, data: Path, tmp_path: Path) -> None:
    """A picture comes from a finished set and its originals: side by side, or with the originals in one line."""
    sheet = tmp_path / "sheet.png"
    arguments = ("attack", "gallery", COMMITTED, "--out", sheet, "--settings", "imprint", "--columns", 8)
    done = semsim(*arguments)
    assert done.returncode == 0, done.stderr
    assert Image.open(sheet).size == (6 + 8 * 102, 6 + (20 + 96 + 6) + (96 + 18 + 6) + 26)
    assert semsim(*arguments, "--align").returncode == 0
    assert Image.open(sheet).size == (6 + 8 * 102, 6 + (20 + 96 + 6) + (20 + 96 + 18 + 6) + 26)


def test_table_of_a_committed_set(semsim: Command, data: Path, tmp_path: Path) -> None:
    """A row for each setting, with leakage; a set of format 2 says nothing of explained shares."""
    page = tmp_path / "page.md"
    page.write_text("<!-- attacks -->\n<!-- attacks -->\n")
    done = semsim("attack", "table", SMALLER, "--write", page)
    assert done.returncode == 0, done.stderr
    rows = [line for line in page.read_text().splitlines() if line.startswith("| caltech101--")]
    assert len(rows) == 9
    assert all(re.search(r"\| \d+ done \| - \| 0\.\d\d \(", row) for row in rows)
    verdicts = [row.split(" | ")[6] for row in rows]
    assert sorted(verdicts) == ["leaks"] * 8 + ["not shown to leak by this attack"]


def test_table_without_originals(semsim: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures of the set alone, and a line that says what is missing and how to have it."""
    monkeypatch.delenv("SEMSIM_DATA", raising=False)
    done = semsim("attack", "table", COMMITTED)
    assert done.returncode == 0, done.stderr
    assert "**Leakage and SSIM could not be computed for 1800 of 1800 reconstructions**" in done.stdout
    assert "set SEMSIM_DATA to the folder of the data sets" in done.stdout
    assert done.stdout.count("| could not tell |") == 22


def test_comparison_of_a_committed_set(semsim: Command, data: Path, tmp_path: Path) -> None:
    """Defenses against each other, as a table and as a plot."""
    plot = tmp_path / "plot.png"
    done = semsim("attack", "compare", SMALLER, "--by", "defense", "--plot", plot)
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| caltech101, ")]
    assert [row[1] for row in rows] == ["gaussian:1e-2", "gaussian:3e-2", "gaussian:6e-2", "laplace:2e-2"]
    assert all("**-0." in row[3] for row in rows[1:]), "each leaks less than the first"
    assert Image.open(plot).width > 600


REFUSED = (
    (["compare", "SET", "--by", "model"], "[invalid_option]: expected --by attack or defense or victim, got model"),
    (["compare", "SET", "--by", "attack"], "[invalid_dataset]: expected the 2 settings of made-up"),
    (["compare", "HERE"], "[invalid_dataset]: expected a finished reconstruction set at"),
    (["compare", "HERE", "--plot", "plot.svg"], "[invalid_option]: expected --plot as a .png file"),
    (["table", "SET", "--lpips", "none.safetensors"], "[invalid_checkpoint]: expected a safetensors file at none"),
    (["table", "HERE", "--write", "none.md"], "[invalid_option]: expected a page at none.md"),
    (["table", "HERE"], "[invalid_dataset]: expected a finished reconstruction set at"),
    (["gallery", "SET", "--out", "nowhere/sheet.png"], "[invalid_option]: expected --out as a .png file in an"),
    (["grid", "none.yaml", "HERE"], "[invalid_configuration]: expected a configuration at none.yaml, got none"),
    (["example", "none"], "[invalid_option]: expected an example of own-images, cifar10-many"),
    (["example", "--write", "none.md"], "[invalid_option]: expected --write with --schema"),
)
"""Arguments of ``semsim attack``, and the error that they end with."""


@pytest.mark.slow
def test_refusals_come_before_torch(tmp_path: Path) -> None:
    """Each is one line with its code, in a process that has not imported torch by then, and writes nothing."""
    made_up_set(originals=2, settings=2).write(tmp_path / "set")
    places = {"SET": str(tmp_path / "set"), "HERE": str(tmp_path)}
    commands = [["semsim", "attack", *(places.get(one, one) for one in arguments)] for arguments, _ in REFUSED]
    program = (
        "import json, sys\nfrom semsim.commands.main import main\n"
        "for sys.argv in json.loads(sys.argv[1]):\n"
        "    try: main()\n"
        "    except SystemExit as end: assert end.code == 2\n"
        "    assert not {'torch', 'matplotlib'} & sys.modules.keys(), sys.argv\n"
    )
    before = sorted(tmp_path.rglob("*"))
    run = [sys.executable, "-c", program, json.dumps(commands)]
    done = subprocess.run(run, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for line, (_, message) in zip(done.stderr.splitlines(), REFUSED, strict=True):
        assert message in line
    assert sorted(tmp_path.rglob("*")) == before


def test_what_was_not_found_is_named_beside_what_is_shown(
    semsim: Command, calibrated_artifact: Path, tmp_path: Path
) -> None:
    """A picture and a table of a set with unexplained updates come with a line about them on the error stream."""
    one = made_up_set(originals=2, settings=2)
    statuses = iter(("matched", "nothing_found", "matched", "diverged"))
    home = replace(one, rows=tuple(replace(row, status=next(statuses)) for row in one.rows)).write(tmp_path / "set")
    for command in (("gallery", home, "--out", tmp_path / "sheet.png"), ("table", home)):
        done = semsim("attack", *command, "--model", calibrated_artifact)
        assert done.returncode == 0, done.stderr
        assert "1 of 2 settings: nothing found: setting-1 (2 of 2); this says nothing about a" in done.stderr
    done = semsim("attack", "gallery", home, "--settings", "setting-0", "--model", calibrated_artifact)
    assert "nothing found" not in done.stderr


def test_settings_in_which_nothing_was_found() -> None:
    """The settings with the largest share of unexplained rows come first, and of many some are named."""
    rows = made_up_set(originals=4, settings=12).rows
    assert unexplained_settings([replace(row, status="partly") for row in rows]) == ""
    partly = [replace(row, status="matched" if row.image == "image-00.png" else "nothing_found") for row in rows]
    whole = [replace(row, status="diverged") if row.setting == "setting-11" else row for row in partly]
    told = unexplained_settings(whole)
    assert told.startswith("12 of 12 settings: nothing found: setting-11 (4 of 4), setting-0 (3 of 4), setting-1 (3 of")
    assert " (3 of 4) and 2 more; this says nothing" in told
