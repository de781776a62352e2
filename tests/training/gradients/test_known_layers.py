"""The layers whose weights clients share, each beside plain autograd in float64."""

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from timm.layers import BatchNormAct2d, Conv2dSame, GroupNorm1, LayerNorm2d
from torch import Tensor, nn

from semsim.exceptions import InvalidVictim
from semsim_training.gradients import native
from semsim_training.gradients.loss import logits_of
from semsim_training.gradients.shared_weights import SharedWeightGradients

SHAPE, CLASSES = (3, 12, 10), 5
Conv = nn.Conv2d


def classifier(*layers: nn.Module) -> nn.Module:
    """The layers, and a fully connected one over a few places of what leaves them."""
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.LazyLinear(CLASSES))


def signal(*layers: nn.Module) -> nn.Module:
    """The layers on images as signals of three channels."""
    return nn.Sequential(nn.Flatten(2), *layers, nn.Flatten(), nn.LazyLinear(CLASSES))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "groups": lambda: classifier(Conv(3, 8, 3), nn.Tanh(), Conv(8, 12, (5, 3), 2, (2, 1), groups=4), nn.Tanh()),
    "depthwise": lambda: classifier(Conv(3, 11, 3), nn.Tanh(), Conv(11, 11, 3, padding=1, groups=11), nn.Tanh()),
    "depthwise, strided": lambda: classifier(
        Conv(3, 6, 3), nn.Tanh(), Conv(6, 6, 5, (1, 2), padding=2, dilation=(2, 1), groups=6, bias=False), nn.Tanh()
    ),
    "channel multiplier": lambda: classifier(Conv(3, 6, 3, groups=3), nn.Tanh(), Conv(6, 12, 3, groups=6), nn.Tanh()),
    "dilation": lambda: classifier(
        Conv(3, 18, 3, padding=2, dilation=2), nn.Tanh(), Conv(18, 17, 3, 2, padding=(1, 3), dilation=(1, 3)), nn.Tanh()
    ),
    "same padding": lambda: classifier(
        Conv(3, 8, 4, padding="same"), nn.Tanh(), Conv(8, 8, 3, padding="same", dilation=2), nn.Tanh(),
        Conv(8, 8, 2, padding="valid"),
    ),
    "padding modes": lambda: classifier(
        Conv(3, 8, 3, padding=1, padding_mode="reflect"), nn.Tanh(),
        Conv(8, 8, 3, padding="same", padding_mode="circular", groups=8),
        Conv(8, 8, (3, 5), padding=(1, 2), padding_mode="replicate"),
    ),
    "batch normalisation": lambda: classifier(
        Conv(3, 8, 3), nn.BatchNorm2d(8, affine=False), nn.Tanh(), Conv(8, 8, 3),
        nn.BatchNorm2d(8, track_running_stats=False), nn.BatchNorm2d(8), nn.Tanh(),
    ),
    "group normalisation": lambda: classifier(
        Conv(3, 8, 3), nn.GroupNorm(4, 8), nn.Tanh(), Conv(8, 8, 3), nn.GroupNorm(1, 8), nn.Tanh(),
        nn.GroupNorm(8, 8, affine=False), nn.Tanh(),
    ),
    "instance normalisation": lambda: classifier(
        Conv(3, 8, 3), nn.InstanceNorm2d(8, affine=True), nn.Tanh(), Conv(8, 8, 3), nn.InstanceNorm2d(8), nn.Tanh()
    ),
    "layer normalisation": lambda: classifier(
        Conv(3, 8, 3), nn.LayerNorm((8, 10, 8)), nn.Tanh(), Conv(8, 8, 3), nn.LayerNorm(6, bias=False),
        nn.LayerNorm((8, 6), elementwise_affine=False), nn.RMSNorm((8, 6)),
    ),
    "fully connected on channels": lambda: nn.Sequential(
        Conv(3, 8, 3), nn.PReLU(), nn.Linear(8, 7), nn.PReLU(8), nn.Linear(7, 6, bias=False), nn.Flatten(),
        nn.LazyLinear(CLASSES),
    ),
    "one dimension": lambda: signal(
        nn.Conv1d(3, 8, 5, 2, padding=2), nn.BatchNorm1d(8), nn.Tanh(), nn.Conv1d(8, 8, 4, padding="same", groups=2),
        nn.Conv1d(8, 8, 3, padding=1, groups=8), nn.Tanh(), nn.InstanceNorm1d(8, affine=True), nn.GroupNorm(2, 8),
        nn.Flatten(), nn.LazyLinear(9), nn.BatchNorm1d(9), nn.Tanh(),
    ),
    "layers of timm": lambda: classifier(
        Conv2dSame(3, 8, 3, stride=2), nn.Tanh(), LayerNorm2d(8), Conv(8, 8, 1, padding=1), GroupNorm1(8),
        BatchNormAct2d(8),
    ),
}  # fmt: skip


class Heads(nn.Module):
    """Layers that run twice, and heads without which the logits are computed."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again, self.mix = Conv(3, 8, 3, padding=1), Conv(8, 8, 3, padding=1), nn.Linear(8, 8)
        self.norm, self.last = nn.BatchNorm2d(8), nn.Linear(960, CLASSES)
        self.aside, self.never = nn.Linear(960, 3), nn.LayerNorm(3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Logits, and what another loss is taken of."""
        x = self.first(x).tanh()
        x = F.relu(self.norm(self.again(self.norm(self.again(x)).tanh())), inplace=True)
        x = self.mix(self.mix(x.transpose(1, 3)).tanh()).transpose(1, 3).contiguous()
        x = x.view(-1, 960)
        return {"aside": self.aside(x), "logits": self.last(x)}


class Tied(nn.Module):
    """Two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.one, self.two, self.last = (nn.Linear(*sizes) for sizes in ((360, 8), (8, 8), (8, 8), (8, 5)))
        self.two.weight = self.one.weight

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits first, and features."""
        features = self.two(self.one(self.first(x.flatten(1)).tanh()).tanh())
        return self.last(features), features


class Elsewhere(Tied):
    """A weight that is used without its layer, too."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """The logits."""
        logits: Tensor = self.last(F.linear(self.one(self.first(x.flatten(1))), self.one.weight))
        return logits


class TokensFirst(nn.Module):
    """A layer on tokens of all images, whose first dimension is not the images'."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(30, 8), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """The logits."""
        tokens = x.reshape(len(x), -1, 30).transpose(0, 1)
        logits: Tensor = self.last(self.first(tokens).tanh().mean(dim=0))
        return logits


NETWORKS |= {"heads and layers that run twice": Heads, "one weight in two layers": Tied}


def network(build: Callable[[], nn.Module]) -> nn.Module:
    """A network in float64 whose statistics are not those of a new one."""
    torch.manual_seed(0)
    model = build()
    model(torch.randn(2, *SHAPE))
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    return model.double().eval()


def worst_difference(model: nn.Module, clients: int, images: int, *, train: bool) -> float:
    """The largest relative difference from autograd of any gradient, and of the image gradient of all, by client."""
    path = SharedWeightGradients(model, images, train_batchnorm=train)
    x = torch.randn(clients * images, *SHAPE, dtype=torch.float64).requires_grad_()
    labels = torch.arange(clients * images) % CLASSES
    terms = [term.dense() for term in path(x, labels)]
    plain = copy.deepcopy(model)
    for module in plain.modules():
        module.train(train and isinstance(module, nn.modules.batchnorm._BatchNorm))
    parameters = list(plain.parameters())
    worst = 0.0
    for client in range(clients):
        rows = slice(client * images, (client + 1) * images)
        own_x = x.detach()[rows].requires_grad_()
        loss = F.cross_entropy(logits_of(plain(own_x)), labels[rows])
        gradients = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
        probes = [torch.randn_like(gradient) for gradient in gradients]
        pairs = zip(gradients, probes, strict=True)
        (expected,) = torch.autograd.grad(sum((g * p).sum() + g.square().sum() for g, p in pairs), own_x)
        laid_out, directions = (path.lay_out([t.detach()[None] for t in tensors]) for tensors in (gradients, probes))
        floor = 1e-3 * torch.cat([gradient.flatten() for gradient in laid_out]).norm()
        for term, gradient in zip(terms, laid_out, strict=True):
            worst = max(worst, float((term[client] - gradient[0]).detach().norm() / gradient.norm().maximum(floor)))
        objective = sum(
            (t[client] * d[0]).sum() + t[client].square().sum() for t, d in zip(terms, directions, strict=True)
        )
        (image_gradient,) = torch.autograd.grad(objective, x, retain_graph=True)
        worst = max(worst, float((image_gradient[rows] - expected).norm() / expected.norm()))
    return worst


@pytest.mark.parametrize("name", NETWORKS)
def test_each_kind_of_layer_agrees_with_autograd(name: str) -> None:
    """Gradients and image gradients are within 1e-9 of autograd's: several clients and one, one image and several."""
    model = network(NETWORKS[name])
    assert worst_difference(model, 3, 1, train=False) < 1e-9
    assert worst_difference(model, 2, 2, train=True) < 1e-9
    assert worst_difference(model, 1, 2, train=False) < 1e-9


@pytest.mark.parametrize("name", ["depthwise, strided", "group normalisation", "layer normalisation", "one dimension"])
def test_without_a_compiler(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's operations compute the same where no C++ does."""
    monkeypatch.setattr(native, "_library", lambda source: None)
    assert worst_difference(network(NETWORKS[name]), 3, 2, train=False) < 1e-9


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (Elsewhere, "used by the layers that own them only, got one.weight"),
        (TokensFirst, "3 images in the first dimension of what enters first"),
        (lambda: classifier(nn.ConvTranspose2d(3, 4, 3)), "got 0: ConvTranspose2d with weight, bias"),
        (lambda: classifier(nn.utils.parametrizations.weight_norm(Conv(3, 4, 3))), "got 0: ParametrizedConv2d"),
    ],
)
def test_what_is_not_known_is_refused_by_name(build: Callable[[], nn.Module], message: str) -> None:
    """No parameter gets a gradient of zero because its use was not seen."""
    with pytest.raises(InvalidVictim, match=message):
        worst_difference(network(build), 3, 1, train=False)


@pytest.mark.parametrize("output", [torch.zeros(2, 3, 4), torch.zeros(2, 3).long(), (), "logits", {"mask": None}])
def test_outputs_without_logits_are_refused(output: object) -> None:
    """The first head must be logits of shape (N, classes)."""
    with pytest.raises(InvalidVictim, match=r"expected logits \(N, classes\)"):
        logits_of(output)
