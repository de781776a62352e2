"""``semsim audit``."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from semsim_federation.audit_command import app
from semsim_federation.series import append
from tests.federation.digits import RATE, client, network, pictures, trained, weights_of
from tests.federation.test_series import REPORT

NETWORK = ["--module", "tests.federation.digits:network", "--size", "16", "--channels", "1", "--classes", "10",
           "--mean", "0.5", "--std", "0.5", "--white", "1"]  # fmt: skip
BEFORE = weights_of(network())


@pytest.fixture(scope="module")
def round_of(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The options that name the files of a round with one image."""
    folder = tmp_path_factory.mktemp("round")
    images, labels = client(1)
    np.savez(folder / "before.npz", **BEFORE)
    np.savez(folder / "after.npz", **trained(BEFORE, images, labels))
    for name, held in (("held", [images[0, ..., 0]]), ("public", pictures()[500:640])):
        (folder / name).mkdir()
        for index, image in enumerate(held):
            Image.fromarray(image).save(folder / name / f"{index:04}.png")
    return [
        "update", "--before", str(folder / "before.npz"), "--after", str(folder / "after.npz"),
        "--images", str(folder / "held"), "--labels", str(labels[0]), "--controls", str(folder / "public"),
        "--seconds", "5", *NETWORK,
    ]  # fmt: skip


def test_a_leak_ends_with_code_3(round_of: list[str]) -> None:
    """The sentence comes first, then the attempts and the images."""
    result = CliRunner().invoke(app, [*round_of, "--learning-rate", str(RATE)])
    assert result.exit_code == 3, result.output
    assert result.output.startswith("This update leaks 1 of 1 image")
    assert "closed-form: matched, gain 1.00" in result.output
    assert "image 0: leakage 0.9" in result.output


def test_json_is_for_machines(round_of: list[str]) -> None:
    """JSON holds the whole report."""
    result = CliRunner().invoke(app, [*round_of, "--learning-rate", str(RATE), "--json"])
    assert json.loads(result.output)["verdict"] == "leaks"


def test_a_gallery_is_drawn_where_it_is_asked_for(round_of: list[str], tmp_path: Path) -> None:
    """Reconstructions go into the picture, and originals only where they are asked for, too."""
    told = [*round_of, "--learning-rate", str(RATE)]
    heights = []
    for name, options in (("plain", []), ("both", ["--originals"])):
        picture = tmp_path / f"{name}.png"
        assert CliRunner().invoke(app, [*told, "--gallery", str(picture), *options]).exit_code == 3
        heights.append(Image.open(picture).height)
    assert heights[1] == heights[0] + 104
    for wrong in (["--originals"], ["--gallery", str(tmp_path / "missing" / "one.png")]):
        assert "expected --gallery" in str(CliRunner().invoke(app, [*told, *wrong]).exception)


def test_an_update_that_contradicts_its_training_is_no_green_light(round_of: list[str]) -> None:
    """A round without its learning rate is refused, and no code says that it does not leak."""
    result = CliRunner().invoke(app, round_of)
    assert result.exit_code not in (0, 3)
    assert "learning rate" in str(result.exception)


def test_what_could_not_be_told_has_no_low_leakage(round_of: list[str], tmp_path: Path) -> None:
    """Beside another image than the update was made on, what the attack rebuilt has a leakage that says nothing."""
    Image.fromarray(pictures()[2]).save(tmp_path / "other.png")
    told = [*round_of, "--learning-rate", str(RATE), "--images", str(tmp_path)]
    result = CliRunner().invoke(app, told)
    assert result.exit_code == 4, result.output
    assert "image 0: nothing can be told" in result.output


def test_a_leak_is_told_before_its_gallery_is_refused(round_of: list[str], tmp_path: Path) -> None:
    """A file that is no gallery does not take the verdict away."""
    (tmp_path / "other.png").write_bytes(b"something else")
    options = ["--learning-rate", str(RATE), "--gallery", str(tmp_path / "other.png")]
    result = CliRunner().invoke(app, [*round_of, *options])
    assert "expected a gallery of audits" in str(result.exception)
    assert result.output.startswith("This update leaks 1 of 1 image")


@pytest.mark.parametrize("name", ["curve.xyz", "curve"])
def test_a_curve_is_a_picture(name: str, tmp_path: Path) -> None:
    """A file of another kind is refused in a sentence."""
    append(tmp_path / "series.parquet", REPORT)
    result = CliRunner().invoke(app, ["plot", str(tmp_path / "series.parquet"), str(tmp_path / name)])
    assert f"expected a picture to write, .png or .svg, got {tmp_path / name}" in str(result.exception)


def test_few_controls_are_refused(round_of: list[str], tmp_path: Path) -> None:
    """Fewer than 100 controls identify nobody."""
    Image.fromarray(pictures()[0]).save(tmp_path / "one.png")
    result = CliRunner().invoke(app, [*round_of, "--learning-rate", "0.1", "--controls", str(tmp_path)])
    assert "expected at least 100 different controls, got 1" in str(result.exception)
