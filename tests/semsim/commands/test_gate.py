"""`semsim score-dir` as a gate of continuous integration."""

import json
import math
import re
import shlex
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import parse

import numpy as np
import pytest
import yaml
from packaging.requirements import Requirement
from PIL import Image

from semsim import Scorer
from tests.artifacts import write_artifact
from tests.conftest import CPU, ROOT
from tests.encoded import picture
from tests.semsim.bulk.pair_tables.written_tables import write_parquet
from tests.semsim.commands.conftest import Semsim
from tests.service.live import LiveService
from tests.training.judged.made_up import made_up_set

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


@pytest.mark.parametrize("command", ["score", "score-dir", "score-table"])
def test_the_threshold_itself_fails_the_gate(
    semsim: Semsim, folders: tuple[Path, Path], tmp_path: Path, command: str
) -> None:
    """With the word threshold a leakage equal to the threshold fails, since it is recognizable; one below it passes."""
    pair = [folder / "0.png" for folder in folders]
    for folder in folders:
        for number in range(1, 4):
            (folder / f"{number}.png").unlink()
    images = {name: [path.read_bytes()] for name, path in zip(("original", "reconstruction"), pair, strict=True)}
    source = write_parquet(tmp_path / "pairs.parquet", 1, **images)
    calibration = {"kind": "logistic", "slope": 2.0, "intercept": -1.0}
    least = Scorer(write_artifact(tmp_path / "least", calibration=calibration, threshold=0.01), providers=CPU)
    leakage = least.score(*pair).leakage
    assert leakage is not None
    for name, threshold, code in (("at", leakage, 3), ("below", math.nextafter(leakage, 1.0), 0)):
        artifact = write_artifact(tmp_path / name, calibration=calibration, threshold=threshold)
        assert Scorer(artifact, providers=CPU).score(*pair).recognizable == (code == 3)
        table = (source, tmp_path / f"{name}-table", "--engine", "here")
        arguments = {"score": pair, "score-dir": folders, "score-table": table}[command]
        shown = semsim(command, *arguments, "--model", artifact, "--fail-above", "threshold")
        assert shown.returncode == code, shown
        assert (f"above {threshold:g}" in shown.stdout + shown.stderr) == (command != "score" or code == 3)
    if command == "score-table":
        stored = json.loads((tmp_path / "at-table" / "_manifest.json").read_text())["run"]["fail_above"]
        assert stored == math.nextafter(leakage, 0.0), "the number above which its parts counted pairs"


def test_the_threshold_is_that_of_the_model_in_use(
    semsim: Semsim, folders: tuple[Path, Path], service: LiveService
) -> None:
    """The bundled model's threshold gates here and at a service alike, also where 0.5 would pass."""
    for number in range(4):
        mixed = 0.4 * picture(32, 32, seed=number) + 0.6 * picture(32, 32, seed=number + 50)
        Image.fromarray(mixed.astype(np.uint8)).save(folders[1] / f"{number}.png")
    threshold = Scorer(providers=CPU).manifest.threshold
    for where in ((), ("--url", service.url)):
        shown = semsim("score-dir", *folders, *where, "--fail-above", "threshold")
        assert shown.returncode == 3, shown
        assert re.search(rf"^the gate fails: [1-4] of 4 pairs above {threshold:g}, ", shown.stdout, re.MULTILINE)
        assert semsim("score-dir", *folders, *where, "--fail-above", 0.5).returncode == 0


def test_the_threshold_itself_fails_the_gate_of_a_set(semsim: Semsim, tmp_path: Path) -> None:
    """A set whose highest leakage equals the threshold fails, and passes where the threshold is the next number."""
    made = made_up_set(originals=4, settings=1)
    made = replace(made, rows=tuple(replace(row, status="matched", explained=1.0) for row in made.rows))
    home, calibration = made.write(tmp_path / "set"), {"kind": "logistic", "slope": 2.0, "intercept": -1.0}
    least = write_artifact(tmp_path / "least", calibration=calibration, threshold=0.01)
    shown = semsim("score-set", home, "--model", least, "--json")
    highest = json.loads(shown.stdout)["summary"]["max_leakage"]
    for name, threshold, code in (("at", highest, 3), ("below", math.nextafter(highest, 1.0), 0)):
        artifact = write_artifact(tmp_path / name, calibration=calibration, threshold=threshold)
        shown = semsim("score-set", home, "--model", artifact, "--fail-above", "threshold")
        assert shown.returncode == code, shown


@pytest.mark.parametrize("command", ["score", "score-dir", "score-set", "score-table"])
@pytest.mark.parametrize("limit", ["thresold", "-0.1", "1.1", "nan", ""])
def test_another_word_or_number_is_refused(
    semsim: Semsim, folders: tuple[Path, Path], command: str, limit: str
) -> None:
    """The refusal names what was expected, before anything is read."""
    arguments = folders[:1] if command == "score-set" else folders
    shown = semsim(command, *arguments, "--fail-above", limit)
    expected = f"error [invalid_option]: expected --fail-above to be threshold or a number from 0 to 1, got {limit}\n"
    assert (shown.returncode, shown.stderr, shown.stdout) == (2, expected, "")


def test_the_threshold_needs_a_calibrated_model(semsim: Semsim, folders: tuple[Path, Path]) -> None:
    """A model without a calibration has no threshold, and its gate is refused."""
    baseline = ROOT / "models" / "imagenet-baseline"
    shown = semsim("score-dir", *folders, "--fail-above", "threshold", "--model", baseline)
    assert (shown.returncode, "not_calibrated" in shown.stderr) == (2, True)


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
    assert arguments[arguments.index("--fail-above") + 1] == "threshold", (
        "a number above it passes what is recognizable"
    )
    (install,) = [shlex.split(step["run"]) for step in steps if "pip install" in step.get("run", "")]
    (requirement,) = map(Requirement, install[2:])
    assert requirement.name == "semsim"
    assert requirement.url == "git+https://github.com/<OWNER>/<REPO>@<TAG>", (
        "PyPI has another semsim; nobody owns <OWNER>"
    )
    baseline = tmp_path / arguments[arguments.index("--baseline") + 1]
    assert semsim("score-dir", *folders, "-o", baseline.name).returncode == 0
    shown = semsim(*arguments[1:])
    assert shown.returncode == 3, shown.stderr
    (uploaded,) = [step["with"]["path"].split() for step in steps if "upload" in step.get("uses", "")]
    for name in uploaded:
        assert (tmp_path / name).is_file()
