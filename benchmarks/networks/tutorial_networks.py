"""The networks of tutorials, written after their descriptions, and networks with one unusual trait each."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BlitzNet(nn.Module):
    """The CNN of PyTorch's 60-minute blitz, of Flower's quickstart and of NVFLARE's ``hello-pt``: ``(3, 32, 32)``.

    Flower's and NVFLARE's flatten by ``view(-1, 16 * 5 * 5)``, which ``by_view`` does here.
    """

    def __init__(self, *, channels: int = 3, side: int = 5, by_view: bool = True) -> None:
        super().__init__()
        self.by_view, self.features = by_view, 16 * side * side
        self.conv1 = nn.Conv2d(channels, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(self.features, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        """The logits ``(N, 10)``."""
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(-1, self.features) if self.by_view else torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        logits: Tensor = self.fc3(x)
        return logits


class MnistNet(nn.Module):
    """The CNN of PyTorch's MNIST example, ``(1, 28, 28)``: dropout, and logarithms of probabilities as output."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, 1)
        self.conv2 = nn.Conv2d(32, 64, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """The logarithms of the probabilities ``(N, 10)``."""
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        x = torch.flatten(self.dropout1(x), 1)
        x = self.dropout2(F.relu(self.fc1(x)))
        return F.log_softmax(self.fc2(x), dim=1)


def fashion_mlp() -> nn.Module:
    """The network of PyTorch's quickstart on FashionMNIST, ``(1, 28, 28)``."""
    layers = (nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    return nn.Sequential(nn.Flatten(), *layers)


def moderate_cnn(*, width: int = 32) -> nn.Module:
    """The CNN of NVFLARE's CIFAR-10 example (``ModerateCNN``, after FedMA), ``(3, 32, 32)``."""
    blocks: list[nn.Module] = []
    channels = 3
    for first, second in ((1, 2), (4, 4), (8, 8)):
        for factor in (first, second):
            blocks += [nn.Conv2d(channels, factor * width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = factor * width
        blocks.append(nn.MaxPool2d(2, 2))
        if first == 4:
            blocks.append(nn.Dropout2d(p=0.05))
    head = [nn.Dropout(p=0.1), nn.Linear(128 * width, 32 * width), nn.ReLU(inplace=True)]
    head += [nn.Linear(32 * width, 16 * width), nn.ReLU(inplace=True), nn.Dropout(p=0.1), nn.Linear(16 * width, 10)]
    return nn.Sequential(*blocks, nn.Flatten(), *head)


def fedavg_cnn(*, width: int = 32) -> nn.Module:
    """The CNN of federated averaging (McMahan et al., 2017) and of Flower's baseline of it, ``(1, 28, 28)``."""
    features = (nn.Conv2d(1, width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2))
    more = (nn.Conv2d(width, 2 * width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2))
    head = (nn.Linear(98 * width, 16 * width), nn.ReLU(), nn.Linear(16 * width, 10))
    return nn.Sequential(*features, *more, nn.Flatten(), *head)


class Unusual(nn.Module):
    """A small CNN with the unusual traits that are named, for images of any size and number of channels."""

    def __init__(self, *traits: str, channels: int = 3) -> None:
        super().__init__()
        self.traits = traits
        self.first = nn.Conv2d(channels, 8, 3, padding=1)
        self.twice = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 10)
        if "several heads" in traits:
            self.auxiliary = nn.Linear(8, 10)
        if "unused head" in traits:
            self.projection = nn.Linear(8, 4)
        if "loose parameters" in traits:
            self.scale = nn.Parameter(torch.tensor(1.5))
            self.mixing = nn.Parameter(torch.randn(8, 8))
            self.table = nn.Embedding(3, 8)
        if "frozen layers" in traits:
            self.first.requires_grad_(False)
            self.norm.requires_grad_(False)
        if "weight normalisation" in traits:
            self.head = nn.utils.parametrizations.weight_norm(self.head)
        if "recurrence" in traits:
            self.recurrent = nn.GRU(8, 8, batch_first=True)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """The logits ``(N, 10)``; with several heads those of the auxiliary one behind them."""
        x = torch.tanh(self.twice(torch.tanh(self.first(x))))
        if "layer used twice" in self.traits:
            x = torch.tanh(self.twice(x))
        if "operations in place" in self.traits:
            x = self.twice(x)
            x += 1
            x[:, 0] *= 2
            x = F.elu_(x)
        if "values read" in self.traits:
            x = x / float(x.detach().abs().max())
        sequence = x.flatten(2).transpose(1, 2)
        features = self.recurrent(sequence)[0][:, -1] if "recurrence" in self.traits else x.mean(dim=(2, 3))
        features = self.norm(features)
        if "loose parameters" in self.traits:
            features = self.scale * features @ self.mixing + self.table(torch.arange(3, device=x.device)).sum(dim=0)
        logits: Tensor = self.head(features)
        return (logits, self.auxiliary(features)) if "several heads" in self.traits else logits
