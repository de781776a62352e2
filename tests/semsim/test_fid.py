"""FID of two directories: the formula of SciPy on the features of torch; nothing without a reason."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor, nn

from semsim import Scorer
from semsim.bulk.files import Directories
from semsim.bulk.matching import Match
from semsim.bulk.run import score_directories
from semsim.exceptions import (
    ArtifactNotFound,
    HashMismatch,
    InvalidCheckpoint,
    InvalidGraph,
    InvalidManifest,
    InvalidOption,
    ParityFailed,
)
from semsim.fid.feature_extractor import feature_extractor
from semsim.fid.fid_artifact import FidArtifact
from semsim.fid.fid_network import FidNetwork
from semsim.images import ResizeFilter, resize
from semsim.manifest import InputSpec
from semsim_export import fid_export
from tests.artifacts import small_graph, write_artifact
from tests.conftest import CPU
from tests.encoded import encode, picture
from tests.semsim.commands.conftest import Semsim, semsim

__all__ = ["semsim"]
SIZE = InputSpec(height=21, width=19, filter=ResizeFilter.BILINEAR)
COUNT = 24


class SmallFeatures(nn.Module):
    """Five pooled features of a convolution, as Inception's are pooled."""

    def __init__(self, *, sees: bool = True, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.convolution = nn.Conv2d(3, 5, 3)
        self.sees = float(sees)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Features float32 ``(N, 5)``."""
        levels = images.permute(0, 3, 1, 2).float() * (self.sees / 255.0)
        return self.convolution(levels).relu().mean(dim=(2, 3))


def export(out: Path, **options: int) -> None:
    """Write the artifact of the small network."""
    fid_export.export_features(SmallFeatures(**options), SIZE, out, "small-features", "tests", "Apache-2.0")


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact of the small network."""
    out = tmp_path_factory.mktemp("fid") / "fid"
    export(out)
    assert FidArtifact.load(out).manifest.parity.max_difference < 1e-5
    return out


@pytest.fixture
def folders(tmp_path: Path) -> Directories:
    """Originals of one size, and reconstructions of which one has another size."""
    folders = Directories(tmp_path / "originals", tmp_path / "reconstructions")
    for folder, seed in ((folders.originals, 0), (folders.reconstructions, 100)):
        folder.mkdir()
        for number in range(COUNT):
            (folder / f"{number}.png").write_bytes(encode(picture(32, 40, seed=seed + number)))
    (folders.reconstructions / "0.png").write_bytes(encode(picture(24, 24, seed=100)))
    return folders


def expected_fid(folders: Directories) -> float:
    """FID of the pictures of the fixture, by torch and SciPy's square root of a matrix."""
    sets = []
    for seed in (0, 100):
        images = [picture(32, 40, seed=seed + number) for number in range(COUNT)]
        if seed:
            images[0] = picture(24, 24, seed=100)
        batch = np.stack([resize(image, 21, 19, ResizeFilter.BILINEAR) for image in images])
        with torch.inference_mode():
            sets.append(SmallFeatures()(torch.from_numpy(batch)).double().numpy())
    means = [one.mean(axis=0) for one in sets]
    left, right = (np.cov(one.T) for one in sets)
    return float(((means[0] - means[1]) ** 2).sum() + np.trace(left + right - 2 * sqrtm(left @ right).real))


def test_a_run_has_all_five_metrics(semsim: Semsim, artifact: Path, folders: Directories) -> None:
    """FID is SciPy's of the features of torch; the numbers of images and the reasons for care are told beside it."""
    both = folders.originals, folders.reconstructions
    expected = expected_fid(folders)
    run = score_directories(Scorer(providers=CPU), folders, Match.NAME, fid=FidNetwork(FidArtifact.load(artifact), CPU))
    assert run.fid is not None
    assert run.fid.value == pytest.approx(expected, rel=1e-4)
    assert (run.fid.originals, run.fid.reconstructions, run.fid.left_out) == (COUNT, COUNT, 0)
    assert (run.fid.is_biased, run.fid.same_sizes, run.fid.features) == (False, False, 5)
    shown = semsim("score-dir", *both, "--fid", artifact)
    assert shown.returncode == 0
    assert f"fid: {expected:.4f} of 24 originals and 24 reconstructions, by small-features 0.1.0" in shown.stdout
    assert "compare it with FIDs of as many images by this artifact alone" in shown.stdout
    assert "the images of both directories are not of the same sizes" in shown.stdout
    assert "biased" not in shown.stdout
    told = json.loads(semsim("score-dir", *both, "--fid", artifact, "--json").stdout)["summary"]["fid"]
    assert (told["value"], told["is_biased"]) == (pytest.approx(expected, rel=1e-4), False)
    assert json.loads(semsim("score-dir", *both, "--json").stdout)["summary"]["fid"] is None


def test_few_and_damaged_images_are_told(semsim: Semsim, artifact: Path, folders: Directories, tmp_path: Path) -> None:
    """A damaged picture is left out and counted, few images bias, and of less than two there is no value."""
    both = folders.originals, folders.reconstructions
    for number in range(5, COUNT):
        for folder in both:
            (folder / f"{number}.png").unlink()
    (folders.reconstructions / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    shown = semsim("score-dir", *both, "--fid", artifact)
    assert shown.returncode == 1
    assert "of 5 originals and 4 reconstructions; 1 images could not be decoded and are left out" in shown.stdout
    assert "fid is biased upwards: a set has no more images than the 5 features" in shown.stdout
    for number in range(2, 5):
        (folders.reconstructions / f"{number}.png").unlink()
    table = tmp_path / "table.json"
    shown = semsim("score-dir", *both, "--fid", artifact, "--allow-unmatched", "-o", table)
    assert "fid: none of 5 originals and 1 reconstructions; 1 images could not be decoded" in shown.stdout
    told = json.loads(table.read_text())["summary"]["fid"]
    assert (told["value"], told["is_biased"]) == (None, True)
    assert told["reason"] == "expected at least 2 images in each set for FID, got 5 and 1"


def test_what_is_no_fid_artifact_is_refused(semsim: Semsim, artifact: Path, tmp_path: Path) -> None:
    """No directory, a model's artifact, another graph and one of another input size are refused, before any scoring."""
    with pytest.raises(ArtifactNotFound, match="expected an FID artifact, which semsim export-fid makes, got"):
        FidArtifact.load(tmp_path / "none")
    model = write_artifact(tmp_path / "model")
    shown = semsim("score-dir", "nowhere", "nowhere", "--fid", model)
    assert (shown.returncode, "expected the manifest of an FID artifact" in shown.stderr) == (2, True)
    with pytest.raises(InvalidManifest, match="expected the manifest of an FID artifact"):
        export(model)
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "one.png").touch()
    with pytest.raises(InvalidOption, match="expected a new or empty directory or an FID artifact"):
        export(tmp_path / "photographs")
    manifest = FidArtifact.load(artifact).manifest
    with pytest.raises(InvalidGraph, match=r"expected one input images uint8 \[N, 21, 19, 3\], got"):
        FidNetwork(FidArtifact(manifest, small_graph()), CPU)
    (model / "manifest.json").write_bytes((artifact / "manifest.json").read_bytes())
    with pytest.raises(HashMismatch):
        FidArtifact.load(model)


def test_a_model_is_an_extractor_too(artifact: Path, tmp_path: Path) -> None:
    """`semsim faithfulness --fid` takes the features of either artifact."""
    assert feature_extractor(artifact).name == "small-features 0.1.0"
    assert feature_extractor(write_artifact(tmp_path / "model")).name == "small 0.0.1"


def test_a_network_that_sees_nothing_is_no_extractor(tmp_path: Path) -> None:
    """Features that are the same of all pictures would make every FID 0."""
    with pytest.raises(InvalidCheckpoint, match="expected finite features that differ between pictures"):
        export(tmp_path / "blind", sees=False)
    assert not (tmp_path / "blind").exists()


def test_a_graph_that_disagrees_is_not_written(artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph of a network with other weights gives other features."""
    graph = onnx.load_from_string(FidArtifact.load(artifact).graph)
    monkeypatch.setattr(fid_export, "trace", lambda *_: graph)
    with pytest.raises(ParityFailed, match="as a share of the largest"):
        export(tmp_path / "other", seed=1)
    assert not (tmp_path / "other").exists()
    export(tmp_path / "same")
    export(tmp_path / "same")  # it replaces its like
