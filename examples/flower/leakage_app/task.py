"""The parts that clients and server share: images, a network, and one step of training."""

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from semsim_federation import Audit, Inputs, LocalTraining

SIDE = 32
LEARNING_RATE = 0.01
CONTROLS = 200
"""The number of public images, with which nobody trains. The image after them is the probe's."""
INPUTS = Inputs(size=SIDE, classes=10, mean=127.5, std=127.5)


class LeakingNetwork(nn.Module):
    """A fully connected network, whose first layer gives images away in closed form."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(3 * SIDE * SIDE, 64)
        self.classifier = nn.Linear(64, INPUTS.classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, 10)`` of images ``(B, 3, 32, 32)``, -1..1."""
        logits: Tensor = self.classifier(self.hidden(images.flatten(1)).relu())
        return logits


def initial_network() -> LeakingNetwork:
    """Return the network of round 0."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LeakingNetwork()


@cache
def all_images() -> tuple[NDArray[np.uint8], list[int]]:
    """Return images, uint8 ``(N, 32, 32, 3)``, and labels: of CIFAR-10 below ``SEMSIM_DATA``, otherwise digits."""
    folder = Path(os.environ.get("SEMSIM_DATA", ""), "cifar10", "train")
    if not folder.is_dir():
        return _digits()
    classes = sorted(one for one in folder.iterdir() if one.is_dir())
    paths = [(path, label) for label, one in enumerate(classes) for path in sorted(one.glob("*.jpg"))[:100]]
    order = np.random.default_rng(0).permutation(len(paths))
    images = [np.asarray(Image.open(paths[at][0]).convert("RGB")) for at in order]
    return np.stack(images), [paths[at][1] for at in order]


def public_images() -> NDArray[np.uint8]:
    """Return the controls, with which nobody trains."""
    return all_images()[0][:CONTROLS]


def probe_batch() -> tuple[NDArray[np.uint8], list[int]]:
    """Return the public image of the probe and its label."""
    images, labels = all_images()
    return images[CONTROLS : CONTROLS + 1], labels[CONTROLS : CONTROLS + 1]


def client_batch(client: int, round: int) -> tuple[NDArray[np.uint8], list[int]]:
    """Return the image and the label that a client trains on in a round, counted from 1."""
    images, labels = all_images()
    at = CONTROLS + 120 * (client % 6) + round
    return images[at : at + 1], labels[at : at + 1]


def train(weights: Mapping[str, Any], images: NDArray[np.uint8], labels: Sequence[int]) -> dict[str, NDArray[Any]]:
    """Take one step of SGD; return the weights after it."""
    network = LeakingNetwork()
    network.load_state_dict({name: torch.as_tensor(np.array(value)) for name, value in weights.items()})
    pixels = torch.as_tensor(images, dtype=torch.float32).permute(0, 3, 1, 2) / 127.5 - 1
    loss = cross_entropy(network(pixels), torch.tensor(labels))
    parameters = list(network.parameters())
    # By hand: the first optimiser of torch.optim in a process imports PyTorch's compiler, which takes seconds.
    with torch.no_grad():
        for weight, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            weight.sub_(gradient, alpha=LEARNING_RATE)
    return {name: value.numpy() for name, value in network.state_dict().items()}


@cache
def audit() -> Audit:
    """Return the audit of clients with one image a step, for which the closed form suffices: it takes milliseconds."""
    return Audit(
        LeakingNetwork(),
        INPUTS,
        training=LocalTraining(LEARNING_RATE, batch_size=1),
        attacks=("closed-form",),
        controls=public_images(),
    )


def _digits() -> tuple[NDArray[np.uint8], list[int]]:
    """Scikit-learn's 1,797 digits, enlarged to 32 x 32 pixels."""
    from sklearn.datasets import load_digits  # a second's import, which photographs do not need

    bunch = load_digits()
    levels = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    enlarged = levels.repeat(SIDE // 8, axis=1).repeat(SIDE // 8, axis=2)
    return np.repeat(enlarged[..., None], 3, axis=-1), [int(label) for label in bunch.target]
