"""The semsim command: in this process where the process is not the point, else as people run it."""

import csv
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semsim.commands.options import exit_code
from semsim.summary import Summary
from tests.conftest import IMAGES, ROOT
from tests.encoded import picture
from tests.semsim.commands.conftest import Semsim

SEMSIM = Path(sys.executable).parent / "semsim"
BASELINE = ROOT / "models" / "imagenet-baseline"


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A directory with the two example photographs, a blurred copy and a small one."""
    directory = tmp_path / "photographs"
    directory.mkdir()
    for path in (*IMAGES.glob("*.jpg"), IMAGES / "cat_blurred.png", IMAGES / "cat_32.png"):
        shutil.copy(path, directory)
    return directory


def test_the_installed_command_scores() -> None:
    """`semsim score`, in a process of its own, prints numbers and ends with 0."""
    command = [SEMSIM, "score", IMAGES / "cat.jpg", IMAGES / "cat_noise.png", "--json"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout)["recognizable"] is True
    assert not shown.stderr


def test_help_loads_nothing_heavy() -> None:
    """`semsim --help` names the commands, and no help of these imports what only their work needs."""
    commands = ("model", "score", "score-dir", "serve", "export")
    code = f"""
import sys
from semsim.commands.main import app
for command in ("", *{commands}):
    sys.argv = ["semsim", *command.split(), "--help"]
    try:
        app()
    except SystemExit as end:
        assert not end.code
    loaded = {{"numpy", "PIL", "onnxruntime", "torch", "bentoml"}} & set(sys.modules)
    assert not loaded, (command, loaded)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for command in commands:
        assert f"semsim {command} [OPTIONS]" in shown or f"semsim {command}  [OPTIONS]" in shown
        assert re.search(rf"│ {command} ", shown)


def test_score_prints_numbers_for_people_and_machines(semsim: Semsim) -> None:
    """The scores of one pair are readable lines, or JSON with the names that the service uses."""
    shown = semsim("score", IMAGES / "cat.jpg", IMAGES / "cat_noise.png")
    assert shown.returncode == 0, shown.stderr
    line = r"^leakage   0\.\d{3}   recognizable, from 0\.\d+ on; range 0\.\d{3} to 0\.\d{3}$"
    assert re.search(line, shown.stdout, re.MULTILINE)
    shown = semsim("score", IMAGES / "cat.jpg", IMAGES / "cat_noise.png", "--model", BASELINE)
    assert "leakage   not calibrated" in shown.stdout
    assert "chance    no controls" in shown.stdout
    values = json.loads(semsim("score", IMAGES / "cat.jpg", IMAGES / "cat.jpg", "--json").stdout)
    leakage = values.pop("leakage")
    assert leakage > 0.95
    assert values.pop("leakage_low") <= leakage <= values.pop("leakage_high")
    assert values == {
        "distance": 0.0,
        "recognizable": True,
        "mse": 0.0,
        "psnr": None,
        "ssim": 1.0,
        "resized": False,
        "uninformative": None,
        "chance": 1 / 513,
        "identified": True,
        "lpips": None,
    }


def test_own_controls_or_none_take_the_place_of_the_models(semsim: Semsim, tmp_path: Path) -> None:
    """A directory of public images is named, or nothing is identified; too few images and both options are refused."""
    for number in range(130):
        Image.fromarray(picture(24, 24, number)).save(tmp_path / f"{number}.png")
    pair = IMAGES / "cat.jpg", IMAGES / "cat_noise.png"
    shown = semsim("score", *pair, "--controls", tmp_path)
    assert re.search(r"^chance    0\.00\d+  identified: this picture, beside 1[0-3]\d public", shown.stdout, re.M)
    values = json.loads(semsim("score", *pair, "--no-controls", "--json").stdout)
    assert (values["chance"], values["identified"]) == (None, None)
    shown = semsim("score", *pair, "--controls", tmp_path, "--no-controls")
    assert "expected --controls or --no-controls, got both" in shown.stderr
    shown = semsim("score-dir", *[IMAGES] * 2, "--controls", tmp_path, "--url", "http://127.0.0.1:1")
    assert "controls and LPIPS, got also" in shown.stderr
    (tmp_path / "200.png").write_bytes(b"no image")
    shown = semsim("score", *pair, "--controls", tmp_path)
    assert (shown.returncode, "in the control" in shown.stderr) == (2, True)
    for number in (200, *range(80)):
        (tmp_path / f"{number}.png").unlink()
    shown = semsim("score", *pair, "--controls", tmp_path)
    assert shown.stderr.startswith("error [invalid_configuration]: expected at least 100 different controls")


def test_a_directory_whose_controls_are_copies_is_told(semsim: Semsim, tmp_path: Path) -> None:
    """Where fewer than 100 controls are no copies of any original, no pair is identified, and this is said."""
    controls, originals = tmp_path / "controls", tmp_path / "originals"
    for folder, count in ((controls, 100), (originals, 2)):
        folder.mkdir()
        for number in range(count):
            Image.fromarray(picture(24, 24, number)).save(folder / f"{number}.png")
    shown = semsim("score-dir", originals, originals, "--controls", controls)
    assert "not told whether identified: 2" in shown.stderr
    assert "identified beside" not in shown.stdout


def test_a_directory_is_scored_beside_controls(semsim: Semsim, photographs: Path, tmp_path: Path) -> None:
    """The table has the columns, and the last lines have the number; without controls both are empty."""
    output = tmp_path / "scores.csv"
    shown = semsim("score-dir", photographs, photographs, "-o", output)
    assert "identified beside public images: 4" in shown.stdout
    with output.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["identified"] for row in rows] == ["True"] * 4
    shown = semsim("score-dir", photographs, photographs, "-o", output, "--no-controls")
    assert "identified" not in shown.stdout
    with output.open() as file:
        assert [row["chance"] for row in csv.DictReader(file)] == [""] * 4
    shown = semsim("score-dir", photographs, photographs, "--match", "best")
    assert "identified beside public images: 4, of pairs that were chosen as near, some by luck" in shown.stdout


def test_a_bad_image_is_one_line_and_exit_2(semsim: Semsim, tmp_path: Path) -> None:
    """A bad image ends the command with one line on stderr, with its code and without a trace."""
    (tmp_path / "broken.png").write_bytes(b"no image")
    shown = semsim("score", IMAGES / "cat.jpg", tmp_path / "broken.png")
    assert shown.returncode == 2
    assert shown.stderr.startswith("error [not_an_image]: expected")
    assert shown.stderr.count("\n") == 1
    assert not shown.stdout


def test_a_name_of_two_lines_is_told_in_one(semsim: Semsim, tmp_path: Path) -> None:
    """A file's name that an error quotes does not break its line."""
    shown = semsim("score", tmp_path / "two\nlines.png", IMAGES / "cat.jpg")
    assert shown.returncode == 2
    assert shown.stderr.count("\n") == 1


def test_the_bad_image_of_a_pair_is_named(semsim: Semsim, tmp_path: Path) -> None:
    """The refusal names the bad one of two files, once."""
    (tmp_path / "broken.png").write_bytes(b"no image")
    Image.new("RGB", (6, 6)).save(tmp_path / "small.png")
    for name in ("broken.png", "small.png", "missing.png"):
        for pair in ((tmp_path / name, IMAGES / "cat.jpg"), (IMAGES / "cat.jpg", tmp_path / name)):
            shown = semsim("score", *pair)
            assert shown.returncode == 2
            assert shown.stderr.count(str(tmp_path / name)) == 1
            assert "cat.jpg" not in shown.stderr


def test_fail_above_gates_on_leakage(semsim: Semsim, calibrated_artifact: Path) -> None:
    """A leakage above the limit exits 3, one below exits 0."""
    pair = IMAGES / "cat.jpg", IMAGES / "cat_noise.png", "--model", calibrated_artifact
    leakage = json.loads(semsim("score", *pair, "--json").stdout)["leakage"]
    shown = semsim("score", *pair, "--fail-above", leakage - 0.001)
    assert shown.returncode == 3
    assert shown.stderr.startswith(f"the gate fails: the highest leakage, {leakage:.2f}, is above {leakage - 0.001:g}")
    assert semsim("score", *pair, "--fail-above", leakage + 0.001).returncode == 0


@pytest.mark.parametrize("limit", ["0.74", "1", "nan"])
def test_a_limit_that_nothing_could_fail_is_refused(semsim: Semsim, calibrated_artifact: Path, limit: str) -> None:
    """A limit that even an exact copy would pass is refused: its gate would say nothing."""
    pair = IMAGES / "cat.jpg", IMAGES / "cat.jpg", "--model", calibrated_artifact
    assert semsim("score", *pair, "--fail-above", limit).returncode == 2


def test_fail_above_needs_a_calibrated_model(semsim: Semsim) -> None:
    """A gate on leakage that the model cannot give is refused, not passed."""
    shown = semsim("score", IMAGES / "cat.jpg", IMAGES / "cat.jpg", "--fail-above", 0.5, "--model", BASELINE)
    assert shown.returncode == 2
    assert "not_calibrated" in shown.stderr


def test_model_show_tells_the_provider(semsim: Semsim) -> None:
    """`semsim model show` tells the manifest and the execution provider, for people and as JSON."""
    shown = semsim("model", "show")
    assert "semsim-default" in shown.stdout
    assert re.search(r"recognizable from 0\.\d+, an exact copy has 0\.9\d\d$", shown.stdout, re.MULTILINE)
    shown = semsim("model", "show", "--model", BASELINE)
    assert "leakage and recognizable are null" in shown.stdout
    report = json.loads(semsim("model", "show", "--model", BASELINE, "--json").stdout)
    assert report["provider"]["active"] in ("cpu", "cuda", "tensorrt")
    assert report["manifest"]["training"]["on_annotations"] is False


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["model", "show", "--model", "/nowhere"], "artifact_not_found"),
        (["model", "show", "--require", "quantum"], "invalid_option"),
        (["score-dir", IMAGES, IMAGES, "--match", "magic"], "invalid_option"),
        (["score-dir", IMAGES, IMAGES, "-o", "out.xlsx"], "invalid_option"),
        (["score-dir", IMAGES, IMAGES, "-o", "/nowhere/out.csv"], "invalid_option"),
        (["score-dir", IMAGES, "/nowhere"], "unmatched_images"),
        (["export", "nothing.safetensors", "out", "--images", IMAGES, "--precision", "fp8"], "invalid_option"),
    ],
)
def test_refusals_carry_their_code(semsim: Semsim, arguments: list[object], code: str) -> None:
    """Wrong options and paths are refused with the code that names them."""
    shown = semsim(*arguments)
    assert shown.returncode == 2
    assert f"error [{code}]: expected" in shown.stderr


def test_score_dir_writes_a_table_and_gates(
    semsim: Semsim, calibrated_artifact: Path, photographs: Path, tmp_path: Path
) -> None:
    """A directory against itself gives a table and a summary, exits 3 above the limit, and leaves no journal behind."""
    output = tmp_path / "out.csv"
    shown = semsim(
        "score-dir", photographs, photographs, "-o", output, "--model", calibrated_artifact, "--fail-above", 0.7
    )
    assert shown.returncode == 3
    assert "4 pairs, 0 not scored" in shown.stdout
    assert len(output.read_text().splitlines()) == 5
    assert sorted(tmp_path.iterdir()) == [output, photographs]


def test_score_dir_as_json(semsim: Semsim, photographs: Path) -> None:
    """The JSON of a directory has the shape of the service's answer."""
    report = json.loads(semsim("score-dir", photographs, photographs, "--match", "best", "--json").stdout)
    assert report["summary"]["pairs"] == 4
    assert all(result["distance"] == 0 for result in report["results"])


def test_score_dir_exits_1_when_a_pair_fails(semsim: Semsim, tmp_path: Path) -> None:
    """A pair that could not be scored shows in the exit code."""
    (tmp_path / "cat.png").write_bytes(b"no image")
    shown = semsim("score-dir", IMAGES, tmp_path)
    assert shown.returncode == 1
    assert "not scored: cat.jpg -> cat.png" in shown.stderr


def test_score_dir_names_what_it_skips(semsim: Semsim, photographs: Path, tmp_path: Path) -> None:
    """An image of another suffix is named, and the last line, the exit code and every table tell of it."""
    (photographs / "cat.jpg").rename(photographs / "cat.jfif")
    for allowed, code in (((), 1), (("--allow-unmatched",), 1), (("--allow-skipped",), 0)):
        shown = semsim("score-dir", photographs, photographs, *allowed, "-o", tmp_path / "out.csv")
        assert shown.returncode == code
        assert "skipped reconstruction: cat.jfif: expected a name that ends in .png, .jpg" in shown.stderr
        assert shown.stdout.splitlines()[-1] == "not everything was scored: 2 skipped"
        rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
        assert [(row["original"], row["reconstruction"]) for row in rows[-2:]] == [("cat.jfif", ""), ("", "cat.jfif")]
        assert {row["error_code"] for row in rows[-2:]} == {"unsupported_format"}
    shown = semsim("score-dir", photographs, photographs, "--json")
    report = json.loads(shown.stdout)
    assert (report["summary"]["skipped"], report["summary"]["unmatched"], report["summary"]["pairs"]) == (2, 0, 3)
    assert report["results"][-1]["error"]["code"] == "unsupported_format"
    assert "not everything was scored: 2 skipped" in shown.stderr


def test_images_without_a_partner_are_told_and_do_not_pass(semsim: Semsim, photographs: Path, tmp_path: Path) -> None:
    """An original without a reconstruction, and one the other way round, end with 1 unless that is allowed."""
    others = tmp_path / "others"
    shutil.copytree(photographs, others)
    (others / "cat.jpg").rename(others / "dog.jpg")
    for allowed, code in (((), 1), (("--allow-skipped",), 1), (("--allow-unmatched",), 0)):
        shown = semsim("score-dir", photographs, others, *allowed)
        assert shown.returncode == code
        assert "original without a reconstruction: cat.jpg" in shown.stderr
        assert "reconstruction without an original: dog.jpg" in shown.stderr
        assert shown.stdout.splitlines()[-1] == "not everything was scored: 2 without a partner"


def test_a_leak_comes_before_what_was_not_scored(semsim: Semsim, photographs: Path) -> None:
    """A leakage above the limit ends with 3, whatever else could not be seen."""
    (photographs / "x.bin").write_bytes(bytes(range(256)))
    shown = semsim("score-dir", photographs, photographs, "--fail-above", 0.5)
    assert shown.returncode == 3
    assert "not everything was scored: 2 skipped" in shown.stdout


def test_an_original_that_shows_nothing_does_not_pass(semsim: Semsim, tmp_path: Path) -> None:
    """A gate of a plain original could tell nothing: it is named and ends with 1; without a limit the code is 0."""
    for name in ("originals", "reconstructions"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (32, 32), (10, 90, 40)).save(tmp_path / name / "plain.png")
    pair = [tmp_path / name / "plain.png" for name in ("originals", "reconstructions")]
    directories = [path.parent for path in pair]
    for limit, code in (((), 0), (("--fail-above", 0.5), 1)):
        shown = semsim("score", *pair, *limit)
        assert shown.returncode == code
        assert f"could not tell of {pair[0]} and {pair[1]}: the original shows nothing" in shown.stdout
        assert "not recognizable" not in shown.stdout
        assert "could not tell" in semsim("score", *pair, *limit, "--json").stderr
        shown = semsim("score-dir", *directories, *limit)
        assert shown.returncode == code
        assert "original that shows nothing: plain.png" in shown.stderr
        assert shown.stdout.splitlines()[-1] == "not everything was scored: 1 that nothing can be told of"


def test_a_black_reconstruction_does_not_pass(semsim: Semsim, tmp_path: Path) -> None:
    """An attack that wrote black pictures shows nothing of protection: its gate ends with 1, and says so."""
    for name, image in (("originals", picture(32, 32)), ("reconstructions", np.zeros((32, 32, 3), dtype=np.uint8))):
        (tmp_path / name).mkdir()
        Image.fromarray(image).save(tmp_path / name / "1.png")
    pair = [tmp_path / name / "1.png" for name in ("originals", "reconstructions")]
    shown = semsim("score", *pair, "--fail-above", 0.5)
    assert shown.returncode == 1
    assert "the reconstruction is blank or dim" in shown.stdout
    shown = semsim("score-dir", *(path.parent for path in pair), "--fail-above", 0.5)
    assert shown.returncode == 1
    assert "blank or dim beside its original: a failed attack, or values not scaled to 0..255: 1.png" in shown.stderr


@pytest.mark.parametrize(
    ("max_leakage", "counts", "others", "code"),
    [
        (0.4, {}, 0, 0),
        (0.6, {"failed": 1}, 1, 3),
        (0.4, {"failed": 1}, 0, 1),
        (0.4, {"uninformative": 1}, 0, 1),
        (0.4, {}, 1, 1),
        (None, {}, 0, 1),
        (math.nan, {}, 0, 1),
    ],
)
def test_a_gate_passes_only_what_is_known(
    max_leakage: float | None, counts: dict[str, int], others: int, code: int
) -> None:
    """Only a number within the limit for every pair passes: no number, NaN and whatever is missing do not."""
    summary = Summary(3, counts.get("failed", 0), max_leakage, max_leakage, 0, counts.get("uninformative", 0), None)
    assert exit_code(summary, 0.5, others) == code


def test_a_parquet_table_within_a_directory_is_refused(semsim: Semsim, photographs: Path) -> None:
    """The next run would take a Parquet table among the images for one that may hold images."""
    shown = semsim("score-dir", photographs, photographs, "-o", photographs / "scores.parquet")
    assert shown.returncode == 2
    assert "expected a Parquet table outside of" in shown.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are not UTF-8")
@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_names_that_are_not_utf8_are_escaped(semsim: Semsim, tmp_path: Path, suffix: str) -> None:
    """A file name of other bytes than UTF-8 is written with escapes, in every table and in the journal."""
    for directory in ("originals", "reconstructions"):
        (tmp_path / directory).mkdir()
        shutil.copy(IMAGES / "cat.jpg", tmp_path / directory / os.fsdecode(b"caf\xe9.jpg"))
    output = tmp_path / f"out{suffix}"
    shown = semsim("score-dir", tmp_path / "originals", tmp_path / "reconstructions", "-o", output)
    assert shown.returncode == 0, shown.stderr
    assert rb"caf\xe9.jpg" in output.read_bytes().replace(rb"\\", b"\\")


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names with any characters")
def test_names_do_not_steer_the_terminal(semsim: Semsim, photographs: Path) -> None:
    """A line end or an escape sequence in a file name is shown, not obeyed: nothing else can be hidden by it."""
    (photographs / "a\n\x1b[2Kb.png").write_bytes((IMAGES / "cat_32.png").read_bytes())
    (photographs / "c\x1b[1A.bin").write_bytes(bytes(range(256)))
    shown = semsim("score-dir", photographs, photographs)
    assert shown.returncode == 1
    assert "\x1b" not in shown.stdout + shown.stderr
    assert r"a\x0a\x1b[2Kb.png -> a\x0a\x1b[2Kb.png" in shown.stdout
    assert r"skipped original: c\x1b[1A.bin" in shown.stderr


def test_an_output_that_is_a_directory_is_refused_before_scoring(semsim: Semsim, tmp_path: Path) -> None:
    """An output that is a directory is refused before the model is loaded."""
    (tmp_path / "out.csv").mkdir()
    shown = semsim("score-dir", IMAGES, IMAGES, "-o", tmp_path / "out.csv", "--model", "/nowhere")
    assert shown.returncode == 2
    assert "error [invalid_option]: expected an output file" in shown.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["score", IMAGES / "cat.jpg", IMAGES / "cat.jpg", "--json"], ["--help"]])
def test_a_full_disk_is_one_line_and_exit_2(arguments: list[object]) -> None:
    """A full disk ends the command with one line, without a trace."""
    with Path("/dev/full").open("w") as full:
        command = [SEMSIM, *map(str, arguments)]
        shown = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert shown.returncode == 2
    assert shown.stderr.startswith("error [system_error]: expected")
    assert shown.stderr.count("\n") == 1


def test_a_journal_that_cannot_be_written_is_one_line(semsim: Semsim, tmp_path: Path) -> None:
    """A directory in the place of the journal ends the command with one line that names it."""
    (tmp_path / "out.csv.partial.jsonl").mkdir()
    shown = semsim("score-dir", IMAGES, IMAGES, "--allow-unmatched", "--match", "best", "-o", tmp_path / "out.csv")
    assert shown.returncode == 2
    assert "partial.jsonl" in shown.stderr
    assert shown.stderr.count("\n") == 1


def test_a_reader_that_goes_away_ends_it_quietly(photographs: Path) -> None:
    """`semsim ... | head -1` prints no trace."""
    command = f"{SEMSIM} score-dir {photographs} {photographs} --match best | head -1"
    shown = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)  # noqa: S602
    assert shown.stdout.startswith(" distance")
    assert not shown.stderr


@pytest.mark.parametrize("journal_exists", [False, True])
def test_an_interruption_names_the_journal_once_it_is_there(
    semsim: Semsim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal_exists: bool
) -> None:
    """Ctrl-C names the file to go on from, unless there is none yet."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("semsim.bulk.run.score_directories", interrupted)
    journal = tmp_path / "out.csv.partial.jsonl"
    if journal_exists:
        journal.touch()
    shown = semsim("score-dir", IMAGES, IMAGES, "-o", tmp_path / "out.csv")
    assert shown.returncode == 130
    assert (str(journal) in shown.stderr) is journal_exists
    assert "of an earlier run" not in shown.stderr
    (tmp_path / "out.csv").write_text("an earlier table\n")
    assert "out.csv is of an earlier run" in semsim("score-dir", IMAGES, IMAGES, "-o", tmp_path / "out.csv").stderr
    assert ("nothing was written" in shown.stderr) is not journal_exists


def test_a_table_of_an_earlier_run_is_told_where_a_run_is_refused(semsim: Semsim, tmp_path: Path) -> None:
    """A table that lies there after a refused run is not taken for its result."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "out.csv").write_text("an earlier table\n")
    shown = semsim("score-dir", IMAGES, tmp_path / "empty", "-o", tmp_path / "out.csv")
    assert shown.returncode == 2
    assert "out.csv is of an earlier run" in shown.stderr
