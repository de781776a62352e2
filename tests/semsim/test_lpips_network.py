"""LPIPS in the product: the reference's values in the library and the commands; no silent omission."""

import csv
import json
import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from typer.testing import CliRunner

from semsim import Scorer
from semsim.bulk.files import Directories
from semsim.bulk.matching import Match
from semsim.bulk.run import score_directories
from semsim.bulk.workers.scorer_recipe import ScorerRecipe
from semsim.commands import score, score_dir
from semsim.exceptions import ArtifactNotFound, HashMismatch, InvalidGraph, InvalidManifest, InvalidOption
from semsim.lpips_artifact import LpipsArtifact
from semsim.lpips_network import LpipsNetwork
from semsim.providers import Provider, ProviderSettings
from semsim_export.lpips_export import export_lpips
from semsim_training.reference_metrics.lpips import Lpips
from tests.artifacts import small_graph, write_artifact
from tests.conftest import CPU, ROOT
from tests.encoded import encode, picture
from tests.training.reference_metrics.weights import random_weights

PAIRS = [(picture(40, 52, seed=1), picture(40, 52, seed=2)), (picture(31, 33, seed=3), picture(31, 33, seed=3))]
SMALL = (picture(30, 64, seed=4), picture(30, 64, seed=5))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published weights where they are at hand, else random ones."""
    published = ROOT.parent / "shared" / "weights" / "lpips_alexnet.safetensors"
    folder = tmp_path_factory.mktemp("weights")
    return published if published.exists() else random_weights(folder / "weights.safetensors")


@pytest.fixture(scope="module")
def artifact(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The LPIPS artifact of the weights."""
    directory = tmp_path_factory.mktemp("lpips") / "lpips"
    manifest = export_lpips(weights, directory)
    assert manifest.parity.max_abs_difference < 1e-4
    assert manifest == LpipsArtifact.load(directory).manifest
    export_lpips(weights, directory)  # it replaces its like
    return directory


@pytest.fixture(scope="module")
def scorer(artifact: Path) -> Scorer:
    """The bundled model with LPIPS."""
    return Scorer(providers=CPU, lpips=artifact)


def test_the_values_are_the_references(scorer: Scorer, weights: Path) -> None:
    """Each pair has the reference's LPIPS to 1e-4, and equal images 0; who does not ask has None."""
    scores = scorer.score_images(*zip(*PAIRS, strict=True))
    expected = [float(Lpips(weights).distances(one[None], other[None])[0]) for one, other in PAIRS]
    assert [one.lpips for one in scores] == pytest.approx(expected, abs=1e-4)
    assert scores[0].lpips > 0.01
    assert scores[1].lpips == 0
    assert Scorer(providers=CPU).score_images(*zip(*PAIRS, strict=True))[0].lpips is None


def test_sizes_that_it_does_not_take_have_none(scorer: Scorer) -> None:
    """A side under 31 pixels and over 2^20 pixels give None, and all other numbers; another size is resized."""
    assert scorer.score(*SMALL).lpips is None
    assert scorer.score(*SMALL).leakage is not None
    assert not scorer.lpips.takes(1025, 1024)
    assert scorer.lpips.takes(1024, 1024)
    resized = scorer.score(PAIRS[0][0], picture(32, 40, seed=2))
    assert resized.resized
    assert resized.lpips is not None


def test_what_is_no_lpips_artifact_is_refused(artifact: Path, tmp_path: Path, weights: Path) -> None:
    """No directory, a model's artifact, another graph, and an LPIPS artifact in the place of a model are refused."""
    with pytest.raises(ArtifactNotFound, match="expected an LPIPS artifact, which semsim export-lpips makes, got"):
        Scorer(lpips=tmp_path / "none")
    model = write_artifact(tmp_path / "model")
    with pytest.raises(InvalidManifest, match="expected the manifest of an LPIPS artifact"):
        Scorer(lpips=model)
    with pytest.raises(InvalidManifest, match="expected a manifest"):
        Scorer(artifact)
    with pytest.raises(InvalidManifest, match="expected the manifest of an LPIPS artifact"):
        export_lpips(weights, model)
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "one.png").touch()
    with pytest.raises(InvalidOption, match="expected a new or empty directory or an LPIPS artifact"):
        export_lpips(weights, tmp_path / "photographs")
    other = tmp_path / "other"
    other.mkdir()
    (other / "manifest.json").write_bytes((artifact / "manifest.json").read_bytes())
    (other / "model.onnx").write_bytes(small_graph())
    with pytest.raises(HashMismatch):
        Scorer(lpips=other)
    with pytest.raises(InvalidGraph, match="expected uint8 inputs originals, reconstructions and a float output lpips"):
        LpipsNetwork(LpipsArtifact(LpipsArtifact.load(artifact).manifest, small_graph()), CPU)


def test_values_that_are_no_lpips_are_refused(artifact: Path) -> None:
    """One value for all pairs would be taken for that of each, and a value below 0 for a very small one."""
    network = LpipsNetwork(LpipsArtifact.load(artifact), CPU)
    batch = np.stack([PAIRS[0][0]] * 2)
    graph = onnx.load_from_string(network.artifact.graph)
    final = next(node for node in graph.graph.node if node.output[0] == "lpips")
    final.output[0] = "raw"
    for added, message in (
        (helper.make_node("ReduceMean", ["raw"], ["lpips"], keepdims=1), r"for each of 2 pairs, got shape \(1,\)"),
        (helper.make_node("Neg", ["apart"], ["lpips"]), "expected finite values of LPIPS >= 0, got NaN, infinity or"),
    ):
        other = onnx.ModelProto()
        other.CopyFrom(graph)
        other.graph.node.append(helper.make_node("Exp", ["raw"], ["apart"]))
        other.graph.node.append(added)
        changed = LpipsArtifact(network.artifact.manifest, other.SerializeToString())
        with pytest.raises(InvalidGraph, match=message):
            LpipsNetwork(changed, CPU).distances(batch, batch)
    with pytest.raises(InvalidGraph, match="expected finite values of LPIPS >= 0"):  # before a service is ready
        Scorer(providers=CPU, lpips=changed).warm_up()


def test_tensorrt_is_left_out(artifact: Path) -> None:
    """Settings that ask for TensorRT alone run LPIPS on the CPU; it would build an engine for each size."""
    network = LpipsNetwork(LpipsArtifact.load(artifact), ProviderSettings(order=(Provider.TENSORRT,)))
    assert network.provider.active is Provider.CPU


def test_the_commands_tell_it(artifact: Path, scorer: Scorer, tmp_path: Path) -> None:
    """Score and score-dir print LPIPS with --lpips, tell where there is none, and do not mix two runs' rows."""
    folders = tmp_path / "originals", tmp_path / "reconstructions"
    for folder, images in zip(folders, zip(PAIRS[0], SMALL, strict=True), strict=True):
        folder.mkdir()
        for name, image in zip("ab", images, strict=True):
            (folder / f"{name}.png").write_bytes(encode(image))
    expected = scorer.score(*PAIRS[0]).lpips
    runner, files = CliRunner(), [str(folder / "a.png") for folder in folders]
    told = runner.invoke(score.app, [*files, "--lpips", str(artifact)]).output
    assert f"lpips     {expected:.4f}" in told
    assert json.loads(runner.invoke(score.app, [*files, "--json"]).stdout)["lpips"] is None
    table = tmp_path / "scores.csv"
    ran = runner.invoke(score_dir.app, [*map(str, folders), "--lpips", str(artifact), "-o", str(table)])
    assert f"lpips: mean {expected:.4f} of 1 pairs; 1 are too small or too large for it" in ran.output
    with table.open() as file:
        assert [row["lpips"] for row in csv.DictReader(file)] == [str(expected), ""]
    assert isinstance(runner.invoke(score.app, [*files, "--lpips", str(tmp_path / "none")]).exception, ArtifactNotFound)


def test_workers_have_it_too(scorer: Scorer) -> None:
    """The recipe by which a scorer travels to other processes takes the LPIPS network along."""
    opened = pickle.loads(pickle.dumps(ScorerRecipe.of(scorer))).open()  # noqa: S301
    assert opened.score(*PAIRS[0]).lpips == pytest.approx(scorer.score(*PAIRS[0]).lpips, abs=1e-6)


def test_a_run_with_lpips_does_not_go_on_from_one_without(scorer: Scorer, tmp_path: Path) -> None:
    """Rows of an interrupted run that had no LPIPS are scored again: the table has no column of two kinds."""
    folders = Directories(tmp_path / "originals", tmp_path / "reconstructions")
    for folder, image in zip((folders.originals, folders.reconstructions), PAIRS[0], strict=True):
        folder.mkdir()
        (folder / "a.png").write_bytes(encode(image))
    journal = tmp_path / "journal"
    score_directories(Scorer(providers=CPU), folders, Match.NAME, journal_path=journal)
    (row,) = score_directories(scorer, folders, Match.NAME, journal_path=journal).rows
    assert row.lpips == pytest.approx(scorer.score(*PAIRS[0]).lpips)
