"""``semsim score-set``: the scores of a finished set, and what has none."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import parse

import pyarrow.parquet as pq
import pytest

from tests.conftest import ROOT
from tests.training.judged.made_up import made_up_set
from tests.training.subcommands.command_line import Command


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A set of two settings; the attack on the first original diverged in one, and found nothing in the other."""
    one = made_up_set(originals=4, settings=2)
    first = replace(one.rows[0], status="diverged")
    second = replace(one.rows[1], status="nothing_found", explained=0.03)
    others = (replace(row, status="matched", explained=0.97) for row in one.rows[2:])
    return replace(one, rows=(first, second, *others)).write(tmp_path / "set")


def test_a_row_for_each_reconstruction(semsim: Command, home: Path, calibrated_artifact: Path, tmp_path: Path) -> None:
    """JSON, CSV and Parquet hold the columns of score-dir, and what the set says; a diverged row has no scores."""
    arguments = ("score-set", home, "--model", calibrated_artifact)
    done = semsim(*arguments, "--json")
    assert done.returncode == 1, "a row could not be scored"
    answer = json.loads(done.stdout)
    first, second, *others = answer["results"]
    assert first["error"]["code"] == "attack_diverged"
    assert "leakage" not in first
    assert (second["status"], second["explained"], second["setting"]) == ("nothing_found", 0.03, "setting-1")
    assert second["original"] == "set-0/image-00.png"
    assert second["reconstruction"] == "setting-1/image-00.png"
    assert all(0 < row["leakage"] < 1 for row in others)
    assert (answer["summary"]["pairs"], answer["summary"]["failed"]) == (8, 1)

    assert semsim(*arguments, "-o", tmp_path / "scores.csv").returncode == 1
    assert semsim(*arguments, "-o", tmp_path / "scores.parquet").returncode == 1
    with (tmp_path / "scores.csv").open() as file:
        lines = list(csv.DictReader(file))
    table = pq.read_table(tmp_path / "scores.parquet")
    assert list(lines[0]) == table.column_names
    assert [line["leakage"] == "" for line in lines] == [value is None for value in table["leakage"].to_pylist()]
    assert (
        table["status"].to_pylist()
        == [line["status"] for line in lines]
        == ["diverged", "nothing_found"] + ["matched"] * 6
    )


def test_a_committed_set_of_an_earlier_format(semsim: Command, data: Path) -> None:
    """Sets of format 2 say nothing of explained shares; everything else is there."""
    done = semsim("score-set", ROOT / "datasets" / "cifar10", "--settings", "convnet", "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert len(results) == 40
    assert {(row["status"], row["explained"]) for row in results} == {("done", None)}
    assert not any(row["recognizable"] for row in results)


def test_what_is_printed(semsim: Command, home: Path, calibrated_artifact: Path) -> None:
    """A line for each setting with its statement and statuses, and the number that was not scored."""
    done = semsim("score-set", home, "--model", calibrated_artifact)
    assert "setting-0: leaks (3 matched, 1 diverged)" in done.stdout
    assert "8 reconstructions, 1 not scored" in done.stdout
    (home / "originals").rename(home / "elsewhere")
    done = semsim("score-set", home, "--model", calibrated_artifact, "--settings", "setting-0")
    assert done.returncode == 1
    assert "-  setting-0: could not tell (3 matched, 1 diverged)" in done.stdout
    assert (
        "not scored: 2 reconstructions: expected the originals of set-0" in done.stderr
        or "not scored: 3" in done.stderr
    )


def test_exit_codes(semsim: Command, home: Path, calibrated_artifact: Path, small_artifact: Path) -> None:
    """A leakage above the limit comes first; what cannot be told is refused or counted, and never passes."""
    arguments = ("score-set", home, "--model", calibrated_artifact)
    assert semsim(*arguments, "--fail-above", 0.1).returncode == 3
    assert semsim(*arguments, "--fail-above", 0.73).returncode == 1
    for limit, code, gate in (((), 0, ""), (("--fail-above", 0.73), 4, "the gate cannot pass: ")):
        done = semsim(*arguments, "--settings", "setting-1", *limit)
        assert done.returncode == code, "one of four rows found nothing"
        assert done.stdout.splitlines()[-1].startswith(
            f"{gate}could not tell in 1 of 1 settings: nothing found: setting-1 (1 of 4);"
        )
    for wrong, code in (
        (("--model", small_artifact, "--fail-above", 0.5), "not_calibrated"),
        (("--settings", "vit"), "invalid_dataset"),
        (("-o", home / "scores.txt"), "invalid_option"),
    ):
        done = semsim("score-set", home, *wrong)
        assert done.returncode == 2
        assert f"error [{code}]: expected" in done.stderr


def test_a_set_has_the_gates_of_directories(semsim: Command, calibrated_artifact: Path, tmp_path: Path) -> None:
    """A share, a JUnit report, and a baseline over which leakage may not rise, and of which no row may be missing."""
    made = made_up_set(originals=4, settings=2)
    made = replace(made, rows=tuple(replace(row, status="matched", explained=1.0) for row in made.rows))
    home, before, junit = made.write(tmp_path / "set"), tmp_path / "before.csv", tmp_path / "junit.xml"
    arguments = ("score-set", home, "--model", calibrated_artifact)
    assert semsim(*arguments, "-o", before).returncode == 0
    with before.open() as file:
        values = sorted(float(row["leakage"]) for row in csv.DictReader(file))
    limit = ("--fail-above", sum(values[-2:]) / 2, "--junit", junit)
    done = semsim(*arguments, *limit)
    assert done.returncode == 3
    assert done.stdout.splitlines()[-1].startswith("the gate fails: 1 of 8 pairs above")
    suite = parse(junit).getroot()[0]  # noqa: S314
    assert (suite.attrib["name"], suite.attrib["failures"], suite.attrib["tests"]) == ("semsim score-set", "2", "10")
    done = semsim(*arguments, *limit, "--fail-share", 0.2, "--baseline", before, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["gate"] == {"reasons": [], "unseen": [], "above": 1}
    done = semsim(*arguments, "--baseline", before, "--settings", "setting-0", "--junit", junit)
    assert done.returncode == 1
    assert "the gate cannot pass: 4 of 8 pairs of the baseline are missing" in done.stdout
    assert parse(junit).getroot()[0].attrib["errors"] == "1"  # noqa: S314
    rows = before.read_text().splitlines()
    lowered = [line.replace(line.split(",")[3], "0.001") for line in rows[1:]]
    before.write_text("\n".join([rows[0], *lowered, ""]))
    done = semsim(*arguments, "--baseline", before)
    assert done.returncode == 3
    assert "the gate fails: of the pairs of the baseline the mean leakage rose from 0.0010" in done.stdout


def test_a_limit_does_not_pass_what_nobody_knows(semsim: Command, calibrated_artifact: Path, tmp_path: Path) -> None:
    """With a limit, a setting whose attacks all found nothing or diverged ends with 5, and the last line says why."""
    one = made_up_set(originals=2, settings=2)
    statuses = iter(("matched", "nothing_found", "matched", "diverged"))
    made = replace(one, rows=tuple(replace(row, status=next(statuses), explained=-math.inf) for row in one.rows))
    arguments = ("score-set", made.write(tmp_path / "set"), "--model", calibrated_artifact)
    assert semsim(*arguments).returncode == 1, "no limit: one row was not scored"
    assert semsim(*arguments, "--fail-above", 0.73, "--settings", "setting-0").returncode == 0
    assert semsim(*arguments, "--fail-above", 0.01).returncode == 3, "a leak comes first"
    done = semsim(*arguments, "--fail-above", 0.73, "-o", tmp_path / "scores.json")
    assert done.returncode == 5
    assert done.stdout.splitlines()[-1] == (
        "the gate cannot pass: could not tell: no leakage is past a limit, and all rows found nothing, diverged or "
        "have no leakage of setting-1"
    )
    results = json.loads((tmp_path / "scores.json").read_text())["results"]
    assert {row["explained"] for row in results} == {None}, "JSON has no infinity"
    done = semsim(*arguments, "--fail-above", 0.73, "--json")
    assert (done.returncode, len(json.loads(done.stdout)["results"])) == (5, 4)
    assert "could not tell" in done.stderr


def test_score_dir_names_the_command_for_sets(semsim: Command, home: Path) -> None:
    """A set is no directory of reconstructions, nor of originals."""
    for pair in ((home, home.parent), (home.parent, home)):
        done = semsim("score-dir", *pair)
        assert done.returncode == 2
        assert f"got the reconstruction set {home}: semsim score-set {home} scores it" in done.stderr


def test_an_original_that_shows_nothing_does_not_pass(
    semsim: Command, calibrated_artifact: Path, tmp_path: Path
) -> None:
    """Rows of a plain original have no leakage: a limit ends with 1, and with 5 where a setting has no other row."""
    one = made_up_set(originals=2, settings=1).with_plain("image-00.png")
    rows = tuple(replace(row, status="matched", explained=1.0) for row in one.rows)
    arguments = ("--model", calibrated_artifact, "--fail-above", 0.73)
    done = semsim("score-set", replace(one, rows=rows).write(tmp_path / "set"), *arguments)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "2 reconstructions, 0 not scored, 1 that nothing can be told of"
    alone = replace(one, rows=rows[:1]).write(tmp_path / "plain")
    done = semsim("score-set", alone, *arguments)
    assert done.returncode == 5
    assert "-  setting-0: could not tell (1 matched)" in done.stdout
    assert semsim("score-set", alone, "--model", calibrated_artifact).returncode == 0
    summary = json.loads(semsim("score-set", alone, "--model", calibrated_artifact, "--json").stdout)["summary"]
    assert (summary["uninformative"], summary["recognizable"], summary["max_leakage"]) == (1, None, None)
