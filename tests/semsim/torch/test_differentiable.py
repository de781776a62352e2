"""SemSim in torch: it is the scorer, and gradients flow through it."""

import copy
import sys

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor

from semsim import Scorer
from semsim.calibration import IsotonicCalibration, LogisticCalibration
from semsim.exceptions import InvalidGraph, InvalidTensor, MissingExtra, NotCalibrated
from semsim.images import ResizeFilter, RGBImage, resize
from semsim.torch import SemSim
from semsim.torch.calibration_curve import leakage_of
from semsim.torch.graph_network import GraphNetwork
from semsim.torch.level_resize import resize_levels
from tests.artifacts import write_artifact
from tests.conftest import CPU, ROOT
from tests.encoded import picture

SIZES = [(32, 32), (7, 9), (28, 28), (64, 40), (97, 131), (120, 112)]
"""Heights and widths of originals."""


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """The bundled model, run by ONNX Runtime."""
    return Scorer(providers=CPU)


@pytest.fixture(scope="module")
def semsim() -> SemSim:
    """The bundled model, run by torch."""
    return SemSim()


def tensor(images: list[RGBImage]) -> Tensor:
    """Images of one size as uint8 ``(N, 3, H, W)``."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def noisy(image: RGBImage, strength: float, seed: int) -> RGBImage:
    """A picture with noise of so many levels."""
    noise = np.random.default_rng(seed).normal(0.0, strength, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_it_is_the_scorer(scorer: Scorer, semsim: SemSim, size: tuple[int, int]) -> None:
    """Embeddings, distances and leakages of many pairs are the scorer's to 1e-5, of uint8 and of floats."""
    originals = [picture(*size, seed=seed) for seed in range(8)]
    others = [noisy(one, 4.0 * 2**seed, seed) for seed, one in enumerate(originals[:6])] + originals[:1] * 2
    distances = np.linalg.norm(scorer.embed(originals).astype(float) - scorer.embed(others), axis=1)
    leakages = scorer.leakage(distances)
    assert leakages is not None
    first, second = tensor(originals), tensor(others)
    assert np.abs(semsim.embed(first).numpy() - scorer.embed(originals)).max() < 1e-5
    for given in (first, first.float() / 255, first.double() / 255):
        assert np.abs(semsim.distance(given, second).numpy() - distances).max() < 1e-5
        assert np.abs(semsim(given, second).numpy() - leakages).max() < 1e-5


@pytest.mark.parametrize("filter", ResizeFilter)
def test_it_resizes_as_the_library_does(filter: ResizeFilter) -> None:
    """Enlarged, shrunk and stretched pictures have the library's levels, and gradients that reach each pixel alike."""
    for height, width in [(7, 9), (31, 64), (100, 33)]:
        image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        levels = tensor([image]).float().requires_grad_()
        resized = resize_levels(levels, 32, 32, filter)
        assert np.array_equal(resized[0].permute(1, 2, 0).detach().numpy(), resize(image, 32, 32, filter))
        resized.mean().backward()
        assert levels.grad is not None
        assert float(levels.grad.sum()) == pytest.approx(1.0, rel=1e-3)
        assert np.median(levels.grad.numpy()) == pytest.approx(1 / image.size, rel=0.3)


def test_other_artifacts_are_theirs(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The baseline, whose graph has other operators, and a small graph by hand give their scorers' distances."""
    images = [picture(48, 40, seed=seed) for seed in range(3)]
    for artifact in (ROOT / "models" / "imagenet-baseline", write_artifact(tmp_path_factory.mktemp("a") / "small")):
        module = SemSim(artifact)
        expected = Scorer(artifact, providers=CPU).embed(images)
        assert np.abs(module.embed(tensor(images)).numpy() - expected).max() < 1e-5 * max(1.0, np.abs(expected).max())
        with pytest.raises(NotCalibrated, match="expected a calibrated model for leakage, got"):
            module(tensor(images), tensor(images))


def test_descent_on_the_distance_lowers_it(semsim: SemSim) -> None:
    """Gradients reach each pixel of a reconstruction; a few steps along them bring it nearer, in any precision."""
    originals = tensor([picture(24, 40, seed=1)]).float() / 255
    for kind, steps in ((torch.float32, 4), (torch.bfloat16, 2)):
        reconstruction = torch.rand(originals.shape, generator=torch.Generator().manual_seed(0)).to(kind)
        distances = []
        for _ in range(steps):
            distance = semsim.distance(originals, reconstruction.requires_grad_()).sum()
            (gradient,) = torch.autograd.grad(distance, reconstruction)
            assert gradient.dtype == kind
            assert bool((gradient != 0).float().mean() > 0.9)
            reconstruction = (reconstruction.detach() - 0.03 * gradient.sign()).clamp(0, 1)
            distances.append(float(distance.detach()))
        assert distances == sorted(distances, reverse=True)


def test_the_gradient_is_the_slope(semsim: SemSim) -> None:
    """In double precision the gradient at the network's size is the slope of a step of a level in 3% of the values."""
    module = copy.deepcopy(semsim).double()
    original = tensor([picture(32, 32, seed=1)]).double() / 255
    there = (tensor([noisy(picture(32, 32, seed=2), 9.0, 0)]).double() / 255).clamp(0.1, 0.9).mul(255).round() / 255
    there.requires_grad_()
    distance = module.distance(original, there)
    assert distance.dtype == torch.float64
    (gradient,) = torch.autograd.grad(distance.sum(), there)
    changed = torch.from_numpy(np.random.default_rng(3).random(original.shape) < 0.03)
    direction = gradient.sign() * changed / 255
    with torch.no_grad():
        ahead, behind = (module.distance(original, there + step * direction) for step in (1, -1))
    assert float((ahead - behind) / 2) == pytest.approx(float((gradient * direction).sum()), rel=0.05)


def test_it_stays_out_of_the_way_of_training(semsim: SemSim) -> None:
    """It has no parameters and no state; autocast, a copy and half precision of a larger module change nothing."""
    assert not list(semsim.parameters())
    assert not semsim.state_dict()
    pair = [tensor([picture(40, 40, seed=seed)]) for seed in (1, 2)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = semsim.distance(*pair)
    assert inside.dtype == torch.float32
    larger = torch.nn.Sequential(copy.deepcopy(semsim))
    assert torch.equal(inside, larger[0].distance(*pair))
    assert torch.equal(inside, larger.bfloat16()[0].distance(*pair))
    same = pair[0].float() / 255
    distance = semsim.distance(same, same.requires_grad_())
    distance.sum().backward()
    assert float(distance) == 0
    assert same.grad is not None
    assert bool(same.grad.isfinite().all())
    assert semsim.embed(pair[0][:0]).shape == (0, semsim.manifest.embedding.dimension)


def test_the_gradient_of_leakage_is_nowhere_0() -> None:
    """Leakages are the calibration's; level steps and both ends have the slope of the whole curve."""
    curve = IsotonicCalibration(distances=(0.1, 0.3, 0.5, 0.9), leakages=(1.0, 0.6, 0.6, 0.2))
    distances = torch.tensor([0.0, 0.2, 0.4, 0.7, 2.0], dtype=torch.float64, requires_grad=True)
    leakages = leakage_of(distances, curve)
    assert leakages.detach().numpy() == pytest.approx(curve.leakage(distances.detach().numpy()))
    leakages.sum().backward()
    assert distances.grad is not None
    assert distances.grad.tolist() == pytest.approx([-1.0, -2.0, -1.0, -1.0, -1.0])
    logistic = LogisticCalibration(slope=3.0, intercept=-1.0)
    given = torch.tensor([0.2, 1.5], dtype=torch.float64, requires_grad=True)
    assert leakage_of(given, logistic).detach().numpy() == pytest.approx(logistic.leakage(given.detach().numpy()))
    assert torch.autograd.gradcheck(lambda d: leakage_of(d, logistic), (given,))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(3, 8, 8), r"expected images \(N, 3, H, W\), got shape \(3, 8, 8\)"),
        (torch.zeros(1, 8, 8, 3), r"got shape \(1, 8, 8, 3\)"),
        (torch.full((1, 3, 8, 8), 200.0), r"expected floats in 0..1, got 200..200: undo a normalisation"),
        (torch.full((1, 3, 8, 8), -0.1), r"got -0.1..-0.1"),
        (torch.full((1, 3, 8, 8), torch.nan), r"expected floats in 0..1, got nan"),
        (torch.zeros((1, 3, 8, 8), dtype=torch.int64), r"expected uint8 or floating point, got torch.int64"),
    ],
)
def test_other_tensors_are_refused(semsim: SemSim, images: Tensor, message: str) -> None:
    """Another layout, range or type is refused, and never read as some image."""
    with pytest.raises(InvalidTensor, match=message):
        semsim.embed(images)


def test_other_graphs_and_counts_are_refused(semsim: SemSim) -> None:
    """A file that is no graph, and pairs of which one half is missing, are refused."""
    with pytest.raises(InvalidGraph, match="expected an ONNX graph"):
        GraphNetwork(b"no graph")
    images = torch.zeros(2, 3, 8, 8)
    with pytest.raises(InvalidTensor, match="as many reconstructions as originals, got 1, 2"):
        semsim.distance(images, images[:1])


def test_operators_of_an_older_opset_are_refused() -> None:
    """Before opset 18 the axes of a mean were an attribute, which would be passed over: other numbers, and no error."""
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["images"], ["means"], axes=[1], keepdims=0)],
        "old",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("means", TensorProto.FLOAT, ["N"])],
    )
    old = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    with pytest.raises(InvalidGraph, match="expected a graph of opset 18 or later, got 13"):
        GraphNetwork(old.SerializeToString())


@pytest.mark.parametrize("missing", ["torch", "onnx", "torchmetrics"])
def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Where a package is missing, the error names what to install."""
    for name in [name for name in sys.modules if name.startswith("semsim.torch")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtra, match=r"pip install 'semsim\[torch\]'"):
        from semsim.torch import LeakageMetric  # noqa: F401
