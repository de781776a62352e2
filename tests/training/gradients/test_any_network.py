"""Networks of every kind against plain autograd, and those that are refused."""

import copy
from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.networks.network_list import NETWORKS, ListedNetwork
from semsim.exceptions import InvalidVictim
from semsim_training.gradients import client_gradients as choice
from semsim_training.gradients.attackable import batchnorm_layers
from semsim_training.gradients.client_gradients import chosen_path, client_gradients
from semsim_training.gradients.looped_clients import LoopedClientGradients
from semsim_training.gradients.loose_parameters import LooseParameterGradients
from semsim_training.gradients.loss import logits_of
from semsim_training.gradients.shared_weights import SharedWeightGradients

pytestmark = pytest.mark.slow

CLIENTS, IMAGES = 2, 2
REFUSED = {"levit_128s": r"stages\.0\.blocks\.0\.attn \(Attention\)"}
"""LeViT keeps a tensor of positions from the first call in evaluation mode on, which then has no gradient."""
LOOPED = {"recurrence", "values read"}


def plain(network: nn.Module, pixels: Tensor, labels: Tensor, targets: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
    """One client's gradient, and the image gradient of its products with the targets plus its squared norm."""
    pixels = pixels.clone().requires_grad_()
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    with sdpa_kernel(SDPBackend.MATH):
        loss = F.cross_entropy(logits_of(network(pixels)), labels)
    gradient = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
    function = torch.stack([(g * t).sum() + (g * g).sum() for g, t in zip(gradient, targets, strict=True)]).sum()
    return [g.detach() for g in gradient], torch.autograd.grad(function, pixels)[0]


def hardsigmoid(x: Tensor, inplace: bool = False) -> Tensor:
    """The function by operations with second derivatives; its slope has the digits of a float32, as PyTorch's has."""
    rising = F.relu6(x + 3)
    by_slope = rising * float(torch.tensor(1 / 6))
    return by_slope + (rising / 6 - by_slope).detach()


def relative(value: Tensor, expected: Tensor, scale: float = 0.0) -> float:
    """The relative L2 difference; ``scale`` is that of rounding where little is expected."""
    return float((value - expected).norm() / max(float(expected.norm()), 1e-6 * scale))


@pytest.mark.parametrize("listed", [pytest.param(one, id=f"{one.source}-{one.name}") for one in NETWORKS if one.small])
def test_each_network_agrees_with_plain_autograd_or_is_refused(
    listed: ListedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradients and image gradients of two clients of two images are within 1e-9 of PyTorch's, in float64."""
    assert listed.small is not None
    torch.manual_seed(0)
    network = listed.small().double().eval()
    arguments = (network, IMAGES, listed.small_shape)
    if listed.name in REFUSED:
        with pytest.raises(InvalidVictim, match=REFUSED[listed.name]):
            client_gradients(*arguments, train_batchnorm=False)
        return
    path = client_gradients(*arguments, train_batchnorm=False)
    assert (path.path == "loop") == (listed.name in LOOPED)

    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    targets = [torch.randn(CLIENTS, *parameter.shape, dtype=torch.float64) for parameter in trained]
    pixels = torch.randn(CLIENTS * IMAGES, *listed.small_shape, dtype=torch.float64).requires_grad_()
    labels = torch.randint(10, (CLIENTS * IMAGES,))
    terms = path(pixels, labels)
    products = [sum(term.products(by)) for term, by in zip(terms, path.lay_out(targets), strict=True)]
    by_images = torch.autograd.grad(torch.stack(products).sum(), pixels)[0].split(IMAGES)  # type: ignore[arg-type]

    monkeypatch.setattr(F, "hardsigmoid", hardsigmoid)
    for client, (one, classes) in enumerate(zip(pixels.split(IMAGES), labels.split(IMAGES), strict=True)):
        gradient, expected = plain(network, one.detach(), classes, [target[client] for target in targets])
        size = float(torch.stack([value.norm() for value in gradient]).norm())
        laid_out = path.lay_out([value[None] for value in gradient])
        for term, value, name in zip(terms, laid_out, path.names, strict=True):
            assert relative(term.dense()[client].detach(), value[0], size) < 1e-9, name
        assert relative(by_images[client], expected) < 1e-9


class Features(nn.Module):
    """A small CNN whose subclasses do something with its features."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 5)

    def features(self, x: Tensor) -> Tensor:
        """The features ``(N, 4)``."""
        mean: Tensor = torch.tanh(self.norm(self.conv(x))).mean(dim=(2, 3))
        return mean

    def forward(self, x: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.head(self.features(x))
        return logits


class Mixing(Features):
    """A network whose logits of one image depend on the others."""

    def forward(self, x: Tensor) -> Tensor:
        """The logits of features minus their mean over images."""
        features = self.features(x)
        logits: Tensor = self.head(features - 0.5 * features.mean(dim=0, keepdim=True))
        return logits


class Branching(Features):
    """A network whose course depends on the images."""

    def forward(self, x: Tensor) -> Tensor:
        """The logits of one or two times the features."""
        features = self.features(x)
        logits: Tensor = self.head(features if x.mean() > 0 else 2 * features)
        return logits


class NoisyLayer(nn.Module):
    """A dropout that is never off."""

    def forward(self, x: Tensor) -> Tensor:
        """The input, with zeros."""
        return F.dropout(x)


class Square(torch.autograd.Function):
    """A function whose author did not think of second derivatives."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        """The square."""
        ctx.save_for_backward(x)  # type: ignore[attr-defined]
        return x * x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        """The gradient by what enters."""
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return 2 * x * gradients[0]


class OnceLayer(nn.Module):
    """A layer of it."""

    def forward(self, x: Tensor) -> Tensor:
        """The square."""
        square: Tensor = Square.apply(x)
        return square


class Counting(nn.Module):
    """A layer that counts its calls in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """The input."""
        self.calls += 1
        return x


class Imaginary(Features):
    """A network with complex logits."""

    def forward(self, x: Tensor) -> Tensor:
        """The spectrum of the logits."""
        return torch.fft.fft(super().forward(x))


class InPlace(Features):
    """A network that overwrites what its own gradient needs."""

    def features(self, x: Tensor) -> Tensor:
        """The features ``(N, 4)``."""
        y = torch.tanh(self.conv(x))
        y += 1
        return y.mean(dim=(2, 3))


class Stopped(Features):
    """A network with a part that no gradient passes."""

    def forward(self, x: Tensor) -> Tensor:
        """The logits, scaled by a constant of the images."""
        return super().forward(x) * x.square().mean(dim=(1, 2, 3)).detach()[:, None]


def inside(layer: nn.Module) -> nn.Module:
    """A small CNN with a layer inside."""
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.Identity(), layer), nn.Flatten(), nn.Linear(144, 5))


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (inside(NoisyLayer()), r"the same logits .* from 1\.1 \(NoisyLayer\)"),
        (inside(OnceLayer()), r"twice, got 1\.1 \(OnceLayer\): a function is marked with once_differentiable"),
        (inside(Counting()), r"buffers that evaluation leaves alone, got another 1\.1\.calls"),
        (Imaginary(), r"logits \(N, classes\) .* got torch\.complex"),
        (InPlace(), "that autograd can differentiate, got the network itself .*modified by an inplace operation"),
        (nn.Sequential(nn.Flatten(), nn.Linear(7, 5)), "takes images of 3 x 8 x 8, got RuntimeError"),
        (nn.Flatten(), "expected a network with parameters, got Flatten"),
        (torch.jit.script(Features()), "TorchScript"),
    ],
)
def test_what_cannot_be_attacked_is_refused_by_name(network: nn.Module, told: str) -> None:
    """Random numbers, missing second derivatives, moved buffers and the like are refused before any work."""
    with pytest.raises(InvalidVictim, match=told):
        chosen_path(network.eval(), 1, (3, 8, 8), train_batchnorm=False)


@pytest.mark.parametrize(
    ("network", "path"), [(Features(), "shared weights"), (Mixing(), "vmap"), (Branching(), "loop")]
)
def test_clients_never_touch_each_other(network: nn.Module, path: str, caplog: pytest.LogCaptureFixture) -> None:
    """A network that mixes images or branches on them leaves the shared pass; a line in the log says why."""
    with caplog.at_level("INFO"):
        chosen = chosen_path(network.eval(), 3, (3, 8, 8), train_batchnorm=True)
    assert chosen.kind.path == path
    assert chosen.difference.largest < 1e-9
    assert f"{type(network).__name__} by {path}" in caplog.text
    assert ("no shared weights: " in caplog.text) == (path != "shared weights")


@pytest.mark.parametrize(
    ("name", "path"), [("resnet18", "shared weights"), ("vit_tiny_patch16_224", "loop"), ("convnext_atto", "loop")]
)
def test_one_client_alone_takes_the_loop_in_the_place_of_vmap(name: str, path: str) -> None:
    """Its gradient and image gradient are those of the path that many clients take, to 1e-9 in float64."""
    (listed,) = [one for one in NETWORKS if one.name == name]
    assert listed.small is not None
    torch.manual_seed(0)
    network, labels = listed.small().double().eval(), torch.tensor([1, 3])
    images = torch.randn(2, *listed.small_shape, dtype=torch.float64)
    made = []
    for alone in (True, False):
        client = client_gradients(network, 2, listed.small_shape, train_batchnorm=False, alone=alone)
        assert (client.path == path) == (alone or path != "loop")
        pixels, rng = images.clone().requires_grad_(), torch.Generator().manual_seed(0)
        parameters = [network.get_parameter(name) for name in client.names]
        by = client.lay_out([torch.randn(1, *value.shape, dtype=value.dtype, generator=rng) for value in parameters])
        terms = zip(client(pixels, labels), by, strict=True)
        products = torch.stack([(term.dense() * direction).sum() for term, direction in terms])
        made.append((products.detach(), torch.autograd.grad(products.sum(), pixels)[0]))
    for one, other in zip(*made, strict=True):
        assert relative(one, other) < 1e-9


def test_a_part_without_gradient_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Where autograd's second derivative is not that of the gradient, the log and the chosen path say so."""
    right = chosen_path(Features().eval(), 1, (3, 8, 8), train_batchnorm=False)
    assert right.difference.agrees
    assert (right.doubt, caplog.text) == ("", "")
    chosen = chosen_path(Stopped().eval(), 1, (3, 8, 8), train_batchnorm=False)
    assert chosen.difference.agrees
    assert "second derivative is not that of finite differences" in chosen.doubt
    assert chosen.doubt in caplog.text


def test_a_model_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second attack on a model repeats no trial; another number of images, size or mode is tried anew."""
    trials = []
    monkeypatch.setattr(
        choice, "trial_of", lambda *args, of=choice.trial_of, **more: trials.append(args) or of(*args, **more)
    )
    network = Features().eval()
    for images, train in ((4, False), (2, False), (8, False), (1, False), (4, True)):
        client_gradients(network, images, (3, 8, 8), train_batchnorm=train)
    assert len(trials) == 3
    network.head = nn.Linear(4, 7)
    network.extra = nn.Linear(2, 2)
    client_gradients(network, 4, (3, 8, 8), train_batchnorm=False)
    assert len(trials) == 4


def test_a_trial_leaves_the_model_and_the_random_numbers_alone() -> None:
    """Neither weights, mode, buffers nor the state of the generator change."""
    network = Features().train()
    before, state = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    chosen_path(network, 2, (3, 8, 8), train_batchnorm=True)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_paths_see_the_same_batch_statistics() -> None:
    """The statistics of clients at batch normalisation are the same on each path, in either mode."""
    network = Features().double().eval()
    pixels = torch.randn(6, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    for train in (False, True):
        means = []
        for kind in (SharedWeightGradients, LooseParameterGradients, LoopedClientGradients):
            path = kind(network, 3, train_batchnorm=train)
            for layer in batchnorm_layers(path.network):
                layer.record = True
            path(pixels, torch.arange(6) % 5)
            (statistics,) = path.statistics()
            means.append(statistics.mean)
        assert means[0].shape == (2, 4)
        assert torch.allclose(means[0], means[1], rtol=1e-12)
        assert torch.allclose(means[0], means[2], rtol=1e-12)


class Tokens(nn.Module):
    """A convolution with batch normalisation whose pixels are the tokens of a normalised layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6))
        self.norm = nn.LayerNorm(6)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        """The logits of the mean token."""
        tokens = self.norm(self.stem(x).flatten(2).transpose(1, 2)) ** 3
        logits: Tensor = self.head(tokens.mean(dim=1))
        return logits


def test_one_image_has_the_gradient_of_its_copies() -> None:
    """The gradient of one image is that of two copies of it, also where PyTorch's own kernel gets it wrong."""
    torch.manual_seed(0)
    network = Tokens().double().eval()
    pixels = torch.randn(1, 3, 8, 8, dtype=torch.float64)
    alone, twice = (
        client_gradients(network, images, (3, 8, 8), train_batchnorm=False)(
            pixels.repeat(images, 1, 1, 1).requires_grad_(), torch.full((images,), 3)
        )
        for images in (1, 2)
    )
    for one, two in zip(alone, twice, strict=True):
        assert torch.allclose(one.dense(), two.dense(), rtol=1e-9, atol=1e-12)
