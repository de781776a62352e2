"""`semsim score-dir` as a gate of continuous integration."""

import json
from pathlib import Path
from xml.etree.ElementTree import parse

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.conftest import ROOT
from tests.encoded import picture
from tests.semsim.commands.conftest import Semsim

WORKFLOW = ROOT / "examples" / "workflows" / "leakage-gate.yaml"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Four originals, and reconstructions of them: the last is a copy, the others are hardly like them."""
    originals, reconstructions = tmp_path / "originals", tmp_path / "reconstructions"
    for folder in (originals, reconstructions):
        folder.mkdir()
    for number in range(4):
        original = picture(32, 32, seed=number)
        mixed = 0.2 * original + 0.8 * picture(32, 32, seed=number + 50)
        Image.fromarray(original).save(originals / f"{number}.png")
        Image.fromarray(original if number == 3 else mixed.astype(np.uint8)).save(reconstructions / f"{number}.png")
    return originals, reconstructions


def test_a_gate_says_why_it_fails(semsim: Semsim, folders: tuple[Path, Path], tmp_path: Path) -> None:
    """The last line, the JSON, the JUnit report and GitHub's annotations name the count, the limit and the worst."""
    junit = tmp_path / "junit.xml"
    reason = "1 of 4 pairs above 0.9, worst 3.png, 0.9"
    shown = semsim("score-dir", *folders, "--fail-above", 0.9, "--junit", junit, "--github")
    assert shown.returncode == 3
    assert shown.stdout.splitlines()[-1].startswith(f"the gate fails: {reason}")
    assert f"::error title=semsim::{reason}" in shown.stderr
    suite = parse(junit).getroot()[0]  # noqa: S314
    assert (suite.attrib["failures"], suite.attrib["errors"], suite.attrib["tests"]) == ("2", "0", "6")
    shown = semsim("score-dir", *folders, "--fail-above", 0.9, "--fail-share", 0.25, "--json", "--junit", junit)
    assert shown.returncode == 0
    assert json.loads(shown.stdout)["gate"] == {"reasons": [], "unseen": [], "above": 1}
    assert "the gate passes: 1 of 4 pairs above 0.9 (25.00%, of which 25.00% may be)" in shown.stderr
    assert "::" not in shown.stderr
    assert parse(junit).getroot()[0].attrib["failures"] == "0"  # noqa: S314
    table = tmp_path / "table.csv"
    shown = semsim("score-dir", *folders, "--junit", table, "-o", table)
    assert (shown.returncode, f"got {table} for both" in shown.stderr) == (2, True)
    assert semsim("score-dir", *folders, "--junit", folders[0] / "0.png").returncode == 2
    assert (folders[0] / "0.png").exists()
    for refused in ((folders[0], "nowhere"), (*folders, "--baseline", "nowhere.csv"), (*folders, "--match", "luck")):
        junit.write_text("<?xml version='1.0'?>")
        assert semsim("score-dir", *refused, "--junit", junit).returncode == 2
        assert not junit.exists(), "a report that passed is of an earlier run"


def test_a_gate_compares_with_an_earlier_run(
    semsim: Semsim, folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same run passes; nearer copies, and a pair that is gone, do not; it cannot be overwritten."""
    before = tmp_path / "before.csv"
    assert semsim("score-dir", *folders, "-o", before).returncode == 0
    assert semsim("score-dir", *folders, "--baseline", before).returncode == 0
    shown = semsim("score-dir", *folders, "--baseline", before, "-o", before)
    assert (shown.returncode, "got " + str(before) + " for both" in shown.stderr) == (2, True)
    for option in (
        ["--fail-share", 0.1],
        ["--fail-above", 0.5, "--fail-share", 1],
        ["--margin", 0.1],
        ["--junit", "/nowhere/junit.xml"],
    ):
        assert semsim("score-dir", *folders, *option).returncode == 2
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    (folders[0] / "0.png").rename(folders[0] / "9.png")
    (folders[1] / "0.png").rename(folders[1] / "9.png")
    shown = semsim("score-dir", *folders, "--baseline", before)
    assert shown.returncode == 1
    assert "the gate cannot pass: 1 of 4 pairs of the baseline are missing, such as 0.png -> 0.png" in shown.stdout
    assert "::error title=semsim::1 of 4 pairs of the baseline are missing" in shown.stderr
    for number in range(1, 3):
        noisy = picture(32, 32, seed=number) + np.random.default_rng(0).normal(0, 3, (32, 32, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folders[1] / f"{number}.png")
    shown = semsim("score-dir", *folders, "--baseline", before)
    assert shown.returncode == 3
    assert "of the pairs of the baseline the mean leakage rose from" in shown.stdout


def test_what_a_desktop_left_is_told_once(semsim: Semsim, folders: tuple[Path, Path]) -> None:
    """MacOS writes a file beside each picture on foreign disks: they are ignored, in one line."""
    for number in range(4):
        (folders[1] / f"._{number}.png").write_bytes(b"\x00\x05\x16\x07" + bytes(99))
    shown = semsim("score-dir", *folders)
    assert shown.returncode == 0
    assert shown.stderr == "ignored what a desktop left there: 4, such as ._0.png\n"


def test_the_workflow_gates(
    semsim: Semsim, folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example's own command runs, and its gate fails on a copy; its files are those that the later steps take."""
    monkeypatch.chdir(tmp_path)
    workflow = yaml.safe_load(WORKFLOW.read_text())
    steps = workflow["jobs"]["leakage"]["steps"]
    (run,) = [step["run"] for step in steps if "score-dir" in step.get("run", "")]
    arguments = run.replace("\\\n", " ").split()
    assert arguments[0] == "semsim"
    baseline = tmp_path / arguments[arguments.index("--baseline") + 1]
    assert semsim("score-dir", *folders, "-o", baseline.name).returncode == 0
    shown = semsim(*arguments[1:])
    assert shown.returncode == 3, shown.stderr
    (uploaded,) = [step["with"]["path"].split() for step in steps if "upload" in step.get("uses", "")]
    for name in uploaded:
        assert (tmp_path / name).is_file()
