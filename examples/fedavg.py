"""Federated averaging in plain PyTorch, whose clients ask a guard before they send: python -m examples.fedavg."""

import sys

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import nn

from semsim.images import resize_batch
from semsim_federation import Audit, Guard, Inputs, LocalTraining
from semsim_federation.guard import Action

SIDE, RATE = 16, 0.1
Weights = dict[str, NDArray[np.float32]]


def network() -> nn.Sequential:
    """A small fully connected network, which leaks."""
    return nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 32), nn.ReLU(), nn.Linear(32, 10))


def train(weights: Weights, images: NDArray[np.uint8], labels: list[int]) -> Weights:
    """One step of SGD on a client's images ``(N, 16, 16, 1)``."""
    model = network()
    model.load_state_dict({name: torch.as_tensor(value) for name, value in weights.items()})
    pixels = (torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
    step = torch.optim.SGD(model.parameters(), RATE)
    nn.functional.cross_entropy(model(pixels), torch.tensor(labels)).backward()
    step.step()
    return {name: value.numpy() for name, value in model.state_dict().items()}


def main(rounds: int = 3, clients: int = 3, action: Action = "block", seconds: float = 5.0) -> int:
    """Train; the number of updates that were sent."""
    torch.manual_seed(0)
    digits = load_digits()
    grey = (digits.images * (255 / 16)).round().astype(np.uint8)
    pictures = resize_batch([np.repeat(one[..., None], 3, axis=2) for one in grey], SIDE, SIDE)
    inputs = Inputs(size=SIDE, channels=1, classes=10, mean=0.5, std=0.5, white=1)
    audit = Audit(network(), inputs, training=LocalTraining(RATE, 1), seconds=seconds, controls=pictures[900:1200])
    guard = Guard(audit, action=action, defenses=("gaussian:0.003",) if action == "defend" else ())
    weights: Weights = {name: value.numpy() for name, value in network().state_dict().items()}
    sent = 0
    for number in range(1, rounds + 1):
        updates = []
        for client in range(clients):
            images, labels = pictures[client : client + 1, ..., :1], [int(digits.target[client])]
            decision = guard.check(weights, train(weights, images, labels), images, labels, number)
            sys.stdout.write(f"round {number}, client {client}: {decision.reason}\n")
            updates += [] if decision.send is None else [decision.send]
        sent += len(updates)
        if updates:  # the server's part
            weights = {name: np.mean([update[name] for update in updates], axis=0) for name in weights}
    return sent


if __name__ == "__main__":
    main()
