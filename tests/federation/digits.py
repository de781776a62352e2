"""A small round of federated learning on scikit-learn's digits, which need no download."""

from collections.abc import Sequence
from functools import cache, partial

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from semsim.images import RGBImage, resize_batch
from semsim.scorer import Scorer
from semsim_federation import Audit, Inputs, LocalTraining
from tests.conftest import CPU

SIDE, RATE = 16, 0.1
INPUTS = Inputs(size=SIDE, channels=1, classes=10, mean=0.5, std=0.5, white=1)
Weights = dict[str, np.ndarray]


@cache
def pictures() -> list[RGBImage]:
    """The digits as RGB images of 16 pixels."""
    levels = (load_digits().images * (255 / 16)).round().astype(np.uint8)
    return list(resize_batch([np.repeat(one[..., None], 3, axis=2) for one in levels], SIDE, SIDE))


def client(count: int) -> tuple[np.ndarray, list[int]]:
    """A client's images ``(count, 16, 16, 1)``, and their labels."""
    return np.stack(pictures()[:count])[..., :1], [int(label) for label in load_digits().target[:count]]


@cache
def scorer() -> Scorer:
    """The bundled metric."""
    return Scorer(providers=CPU)


def network() -> nn.Sequential:
    """A fully connected network, whose update on one image gives it away in closed form."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 64), nn.ReLU(), nn.Linear(64, 10))


def weights_of(model: nn.Module) -> Weights:
    """A network's weights by name."""
    return {name: value.numpy().copy() for name, value in model.state_dict().items()}


def trained(weights: Weights, images: np.ndarray, labels: Sequence[int], optimiser=None) -> Weights:
    """The weights after one step."""
    model = network()
    model.load_state_dict({name: torch.as_tensor(value) for name, value in weights.items()})
    pixels = (torch.as_tensor(np.asarray(images)).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
    step = (optimiser or partial(torch.optim.SGD, lr=RATE))(model.parameters())
    nn.functional.cross_entropy(model(pixels), torch.tensor(labels)).backward()
    step.step()
    return weights_of(model)


def audit(**changes) -> Audit:
    """An audit of the network, with changes."""
    settings = {"training": LocalTraining(RATE, 64), "seconds": 10.0, "controls": pictures()[500:900]} | changes
    return Audit(network(), INPUTS, scorer=scorer(), **settings)
