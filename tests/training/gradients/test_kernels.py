"""The C++ kernels against PyTorch's operations, and attacks without a compiler."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semsim_training.attacks.candidate_evaluation import Evaluation
from semsim_training.attacks.compilation import compiled
from semsim_training.attacks.presets import preset
from semsim_training.gradients import native, winograd
from semsim_training.gradients.affine import affine
from semsim_training.gradients.convolution import SharedConvolution
from semsim_training.gradients.patches import Window
from tests.training.gradients.test_equality import image_gradients, plain_image_gradient, relative
from tests.training.small import observations, victim

pytestmark = pytest.mark.slow


def random(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers in float64."""
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


needs_compiler = pytest.mark.skipif(
    not native.usable(Path(winograd.__file__).with_suffix(".cpp"), torch.zeros(1)), reason="needs a C++ compiler"
)


@needs_compiler
@pytest.mark.parametrize(
    ("clients", "images", "inputs", "outputs", "height", "width"),
    [(3, 1, 16, 16, 32, 32), (2, 3, 9, 20, 10, 7), (3, 2, 24, 8, 13, 16), (40, 1, 33, 17, 4, 3)],
)
def test_winograd_is_a_convolution(
    clients: int, images: int, inputs: int, outputs: int, height: int, width: int
) -> None:
    """Output, gradients of both orders and weight gradients agree, also where sizes fill no tile, vector or panel."""
    batch = clients * images
    x = random(batch, inputs, height, width).requires_grad_()
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False).double().requires_grad_(False)
    assert winograd.takes(Window((3, 3), (1, 1), (1, 1)), (inputs, outputs), x)
    delta, probe = random(batch, outputs, height, width, seed=1), random(clients, outputs, 9 * inputs, seed=2)

    output, entering, leaving = winograd.convolve(x, winograd.Kernel.of(layer.weight))
    of_output, of_leaving = torch.autograd.grad((output.sin() * delta).sum(), [output, leaving], create_graph=True)
    weights = winograd.WeightGradient.apply(entering, of_leaving, clients)
    (of_x,) = torch.autograd.grad((weights * probe).sum() + output.cos().sum(), x)

    plain = F.conv2d(x, layer.weight, padding=1)
    of_plain = plain.cos() * delta
    patches = F.unfold(x, 3, padding=1).unflatten(1, (inputs, 9)).transpose(1, 2).flatten(1, 2)
    products = torch.einsum("bol,bkl->bok", of_plain.flatten(2), patches)
    expected_weights = products.unflatten(0, (clients, images)).sum(dim=1)
    (expected,) = torch.autograd.grad((expected_weights * probe).sum() + plain.cos().sum(), x)
    for ours, theirs in (
        (output, plain), (of_output, of_plain), (weights, expected_weights), (of_x, expected)
    ):  # fmt: skip
        assert relative(ours, theirs) < 1e-12


@pytest.mark.parametrize("compiled", [True, False])
def test_affine_and_its_derivatives(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The map, its gradients by all inputs and its second derivatives are those of elementary operations."""
    if not compiled:
        monkeypatch.setattr(native, "_library", lambda source: None)
    x = random(3, 5, 4, 6).requires_grad_()
    scale, shift = (random(3, 5, seed=seed).requires_grad_() for seed in (1, 2))
    results = []
    for y in (affine(x, scale, shift), x * scale[:, :, None, None] + shift[:, :, None, None]):
        gradients = torch.autograd.grad(y.sin().sum(), [x, scale, shift], create_graph=True)
        (second,) = torch.autograd.grad(sum(g.square().sum() for g in gradients) + y.cos().sum(), x)
        results.append([y, *gradients, second])
    for ours, theirs in zip(*results, strict=True):
        assert relative(ours, theirs) < 1e-12


def test_attacks_without_a_compiler(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Attacks write one line into the log and compute the same gradients."""
    native._library.cache_clear()
    monkeypatch.setattr(native.shutil, "which", lambda name: None)
    seen = observations(victim("resnet20", 8, 16), 2)
    x = random(2, 1, 3, 16, 16)
    together = image_gradients(preset("inversed"), seen, x)
    native._library.cache_clear()
    assert all(relative(together[i], plain_image_gradient(o, x[i])) < 1e-9 for i, o in enumerate(seen))
    assert {record.getMessage() for record in caplog.records} == {
        "attacking without native kernels: no c++, g++ or clang++ in PATH"
    }


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "height", "width"),
    [(5, 2, 2, 16, 17), (3, 2, 1, 11, 8), (1, 2, 0, 9, 9), (4, 4, 0, 14, 15), (5, 3, 1, 13, 12)],
)
def test_narrow_strided_convolutions_backwards(kernel: int, stride: int, padding: int, height: int, width: int) -> None:
    """The sub-pixel form of a transposed convolution gives PyTorch's data gradient, also of pixels in no window."""
    x, weight = random(2, 3, height, width).requires_grad_(), random(5, 3, kernel, kernel, seed=1)
    window = Window((kernel, kernel), (stride, stride), (padding, padding))
    outputs = (SharedConvolution.apply(x, weight, None, window), F.conv2d(x, weight, None, stride, padding))
    ours, plain = (torch.autograd.grad(y.sin().sum(), x)[0] for y in outputs)
    assert relative(ours, plain) < 1e-12


def test_a_traced_graph_computes_what_the_kernels_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph that ``compile: true`` traces gives the same gradients for other images than it was traced with."""
    monkeypatch.setattr(torch, "compile", lambda graph: graph)
    seen = observations(victim("convnet", 8, 32), 2)
    evaluation = Evaluation(preset("inversed"), seen, torch.device("cpu"), torch.float64)
    labels = torch.tensor([observation.labels for observation in seen])
    traced = compiled(evaluation, random(2, 1, 3, 32, 32), labels, evaluation.targets)
    x = random(2, 1, 3, 32, 32, seed=1)
    assert traced is not evaluation
    ours, plain = (run(x, labels, evaluation.targets).by_images for run in (traced, evaluation))
    assert relative(ours, plain) < 1e-9
