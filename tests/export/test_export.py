"""Export: the agreement with torch on real images, the four precisions, and the refusals."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from semsim import Scorer
from semsim.embedder import Embedder
from semsim.exceptions import InvalidCheckpoint, InvalidOption, ParityFailed
from semsim.images import decode, resize_batch
from semsim.manifest import InputSpec, Parity, Precision
from semsim_export.artifact_export import ExportOptions, export_artifact
from semsim_export.graph import to_onnx
from semsim_export.parity import PairEmbeddings, check, check_lengths, compare, embed_with_torch
from semsim_export.parity_pairs import degraded_pairs
from semsim_training.checkpoint import CheckpointDescription, load_network
from semsim_training.embedding import EmbeddingNetwork
from tests.conftest import CPU, IMAGES, ROOT
from tests.encoded import encode, picture

pytestmark = pytest.mark.slow

SIZE = InputSpec(height=32, width=32)


class SmallBackbone(nn.Sequential):
    """Eight convolutions, random: large enough to quantise, quick to export."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        channels = 3
        for width in (16, 16, 32, 32, 32, 32, 64, 64):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU6()]
            channels = width
        super().__init__(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten())


@pytest.fixture(scope="module")
def network() -> EmbeddingNetwork:
    """A small embedding network."""
    return EmbeddingNetwork(SmallBackbone(), mean=(127, 127, 127), std=(128, 128, 128), normalize=True).eval()


@pytest.fixture(scope="module")
def real_images(data: Path) -> np.ndarray:
    """The first 200 of the real images, at 32x32."""
    paths = sorted((data / "caltech101").glob("*/image_0003.jpg")) + sorted(
        (data / "caltech101").glob("*/image_0004.jpg")
    )
    return resize_batch([decode(path) for path in paths[:200]], 32, 32)


@pytest.fixture
def image_directory(tmp_path: Path) -> Path:
    """40 small pictures on disk."""
    directory = tmp_path / "images"
    directory.mkdir()
    for seed in range(40):
        (directory / f"{seed}.png").write_bytes(encode(picture(32, 32, seed=seed)))
    return directory


def exported(network: EmbeddingNetwork, precision: Precision, images: np.ndarray) -> tuple[onnx.ModelProto, Parity]:
    """The checked graph of an export, and its agreement with torch when it runs on the CPU."""
    half = len(images) // 2
    originals, counterparts = degraded_pairs(images[half:], seed=0)
    reference = PairEmbeddings(embed_with_torch(network, originals), embed_with_torch(network, counterparts))
    graph = to_onnx(network, SIZE, precision, images[:half])
    model = onnx.load_from_string(graph)
    onnx.checker.check_model(model, full_check=True)
    dimension = reference.originals.shape[1]
    runner = Embedder(graph, SIZE, dimension, CPU, batch_size=7)
    return model, compare(reference, PairEmbeddings(runner.embed(originals), runner.embed(counterparts)), "cpu")


def test_fp32_equals_torch_on_real_images(network: EmbeddingNetwork, real_images: np.ndarray) -> None:
    """fp32: no component of the unit embedding differs by more than 1e-4, at a batch size torch never saw."""
    _, parity = exported(network, "fp32", real_images)
    assert parity.max_abs_difference <= 1e-4
    check(parity, "fp32")


@pytest.mark.parametrize("precision", ["fp16-weights", "fp16", "int8"])
def test_variants_agree_in_rank(network: EmbeddingNetwork, real_images: np.ndarray, precision: Precision) -> None:
    """fp16 and int8 keep the ranks of distances, and really are of that precision."""
    model, parity = exported(network, precision, real_images)
    check(parity, precision)
    assert parity.max_abs_difference > 0
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    assert (onnx.TensorProto.INT8 if precision == "int8" else onnx.TensorProto.FLOAT16) in kinds


def test_the_baseline_equals_torch_on_real_images(data: Path) -> None:
    """The committed baseline, run by ONNX Runtime, ranks real pairs as the torch network of its weights does."""
    weights = data.parent / "weights" / "tf_efficientnet_lite0.safetensors"
    if not weights.is_file():
        pytest.skip(f"needs the ImageNet weights at {weights}")
    description = CheckpointDescription.read(ROOT / "models" / "descriptions" / "imagenet-baseline.json")
    network, baseline = load_network(weights, description), Scorer(ROOT / "models" / "imagenet-baseline", providers=CPU)
    paths = sorted((data / "caltech101").glob("*/image_0005.jpg"))[:64]
    originals, counterparts = degraded_pairs(resize_batch([decode(path) for path in paths], 64, 64), seed=3)
    reference = PairEmbeddings(embed_with_torch(network, originals), embed_with_torch(network, counterparts))
    candidate = PairEmbeddings(baseline.embed(list(originals)), baseline.embed(list(counterparts)))
    parity = compare(reference, candidate, "cpu")
    check(parity, baseline.manifest.graph.precision)
    assert baseline.manifest.training == description.training


@pytest.mark.parametrize(
    ("precision", "spearman", "difference", "passes"),
    [
        ("fp32", 1.0, 1e-4, True),
        ("fp32", 1.0, 2e-4, False),
        ("fp16", 0.999, 0.1, True),
        ("fp16", 0.9989, 0.0, False),
        ("int8", 0.99, 0.1, True),
        ("int8", 0.9899, 0.0, False),
    ],
)
def test_the_limits_of_parity(precision: Precision, spearman: float, difference: float, passes: bool) -> None:
    """Each precision is refused below its own rank agreement, fp32 also by its largest difference."""
    parity = Parity(images=2, provider="cpu", max_abs_difference=difference, pairs=1, distance_spearman=spearman)
    if passes:
        check(parity, precision)
    else:
        with pytest.raises(ParityFailed, match=r"expected .*, got"):
            check(parity, precision)


@pytest.mark.parametrize(("scale", "passes"), [(1.0, True), (1.04, True), (1.06, False), (0.9, False), (np.nan, False)])
def test_a_graph_of_another_scale_is_refused(scale: float, passes: bool) -> None:
    """Ranks and unit embeddings stay where all distances are stretched; every leakage would be another."""
    rng = np.random.default_rng(0)
    reference = PairEmbeddings(*rng.normal(size=(2, 20, 8)).astype(np.float32))
    candidate = PairEmbeddings(reference.originals * scale, reference.counterparts * scale)
    if passes:
        check_lengths(reference, candidate)
    else:
        with pytest.raises(ParityFailed, match=r"expected distances within 5% .*, got"):
            check_lengths(reference, candidate)


def description_of(**changes: object) -> CheckpointDescription:
    """The description of a timm network that is exported in seconds."""
    fields = json.loads((ROOT / "models" / "descriptions" / "imagenet-baseline.json").read_text())
    small = {"name": "tiny", "architecture": "test_resnet", "input": {"height": 32, "width": 32}}
    return CheckpointDescription.model_validate(fields | small | changes)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the small timm network, classifier included, as timm saves them."""
    import timm

    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors"
    save_file(timm.create_model("test_resnet", pretrained=False).state_dict(), path)
    return path


def test_a_checkpoint_becomes_an_artifact_that_scores(checkpoint: Path, image_directory: Path, tmp_path: Path) -> None:
    """A checkpoint becomes an artifact that a scorer loads, again with the same bytes; a model card in it stays."""
    out = tmp_path / "out"
    steps: list[tuple[str, int, int]] = []
    options = ExportOptions(precision="fp32")
    exported = export_artifact(
        checkpoint,
        description_of(),
        image_directory,
        out,
        options,
        settings=CPU,
        progress=lambda *step: steps.append(step),
    )
    assert [done for _, done, _ in steps] == [0, 1, 2]
    assert exported.provider.active == "cpu"
    assert exported.manifest.parity.pairs == 20
    assert exported.manifest.versions["torch"] == torch.__version__.partition("+")[0]
    scorer = Scorer(out, providers=CPU)
    assert scorer.manifest == exported.manifest
    assert scorer.score(IMAGES / "cat.jpg", IMAGES / "cat.jpg").distance == 0
    (out / "README.md").write_text("a model card")
    export_artifact(checkpoint, description_of(), image_directory, out, options, settings=CPU)
    graph = (out / "model.onnx").read_bytes()
    assert hashlib.sha256(graph).hexdigest() == exported.manifest.graph.sha256
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "manifest.json", "model.onnx"]
    assert str(tmp_path).encode() not in graph
    assert b".py" not in graph


def test_what_cannot_be_exported_is_refused(checkpoint: Path, image_directory: Path, tmp_path: Path) -> None:
    """Unknown architectures, other weights, missing files, few images and foreign directories are refused."""
    out = tmp_path / "out"

    def export(weights: Path, description: CheckpointDescription, images: Path, target: Path = out) -> None:
        export_artifact(weights, description, images, target, ExportOptions(), settings=CPU)

    with pytest.raises(InvalidCheckpoint, match="timm architecture"):
        export(checkpoint, description_of(architecture="magicnet"), image_directory)
    with pytest.raises(InvalidCheckpoint, match="does not hold the weights"):
        export(checkpoint, description_of(architecture="resnet18"), image_directory)
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    for weights in (tmp_path / "missing.safetensors", tmp_path / "broken.safetensors"):
        with pytest.raises(InvalidCheckpoint, match="expected a safetensors file"):
            export(weights, description_of(), image_directory)
    with pytest.raises(InvalidOption, match="at least 32 images"):
        export(checkpoint, description_of(), IMAGES)
    with pytest.raises(InvalidOption, match="artifact to replace"):
        export(checkpoint, description_of(), image_directory, image_directory)
    assert not out.exists()
    with pytest.raises(InvalidCheckpoint, match="description at"):
        CheckpointDescription.read(tmp_path / "nothing.json")
    (tmp_path / "wrong.json").write_text('{"name": "A Name With Spaces"}')
    with pytest.raises(InvalidCheckpoint, match="architecture"):
        CheckpointDescription.read(tmp_path / "wrong.json")


def test_degraded_pairs_are_many_distances_and_repeatable() -> None:
    """The same seed gives the same pairs, no counterpart is its original, and none is changed in place."""
    images = np.stack([picture(32, 32, seed=seed) for seed in range(24)])
    before = images.copy()
    originals, counterparts = degraded_pairs(images, seed=5)
    np.testing.assert_array_equal(originals, before)
    np.testing.assert_array_equal(counterparts, degraded_pairs(images, seed=5)[1])
    differences = np.abs(originals.astype(int) - counterparts).mean(axis=(1, 2, 3))
    assert (differences > 0).all()
    assert len(np.unique(differences.round(3))) == 24


def test_unnormalised_embeddings_keep_their_length() -> None:
    """Without normalisation the network gives the backbone's features."""
    backbone = SmallBackbone().eval()
    images = torch.from_numpy(np.stack([picture(32, 32, seed=i) for i in range(3)]))
    plain = EmbeddingNetwork(backbone, mean=(0, 0, 0), std=(1, 1, 1), normalize=False)
    unit = EmbeddingNetwork(backbone, mean=(0, 0, 0), std=(1, 1, 1), normalize=True)
    with torch.inference_mode():
        features, normalised = plain(images), unit(images)
    torch.testing.assert_close(normalised, nn.functional.normalize(features), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(features, backbone(images.permute(0, 3, 1, 2).float()))
