"""Rebuild a photograph from the gradient of one training step, and keep what it looks like on the way.

    python -m examples.invert_gradient

Deep Leakage from Gradients (Zhu, Liu and Han, NeurIPS 2019): L-BFGS moves noise until its gradient, on the
untrained LeNet of the paper, is the client's. The label is known. It writes ``dog_32.png``, the original at 32x32,
and ``dog_32/<iteration>.png``, the reconstruction after that many iterations.
"""

import sys

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from examples.make_images import IMAGES
from semsim.images import decode, images_from_tensor, resize

SIDE = 32
CLASSES = 100
LABEL = 5
KEPT = (5, 15, 40, 100)
SEED = 3


def lenet() -> nn.Sequential:
    """The untrained LeNet of the paper's code: sigmoids, and weights uniform in -0.5..0.5."""
    layers: list[nn.Module] = []
    for inputs, stride in ((3, 2), (12, 2), (12, 1)):
        layers += [nn.Conv2d(inputs, 12, 5, stride, padding=2), nn.Sigmoid()]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(768, CLASSES))
    for parameter in network.parameters():
        nn.init.uniform_(parameter, -0.5, 0.5)
    return network


def gradient(network: nn.Module, image: Tensor, *, differentiable: bool) -> tuple[Tensor, ...]:
    """The gradient of the cross-entropy of ``image`` ``(1, 3, 32, 32)`` in every parameter."""
    loss = nn.functional.cross_entropy(network(image), torch.tensor([LABEL]))
    return torch.autograd.grad(loss, tuple(network.parameters()), create_graph=differentiable)


def invert(network: nn.Module, target: tuple[Tensor, ...], iterations: int) -> dict[int, Tensor]:
    """Reconstructions ``(1, 3, 32, 32)`` after the iterations in ``KEPT``."""
    guess = torch.randn((1, 3, SIDE, SIDE), requires_grad=True)
    optimizer = torch.optim.LBFGS([guess], lr=1.0)
    kept = {}

    def objective() -> Tensor:
        optimizer.zero_grad()
        current = gradient(network, guess, differentiable=True)
        distance = torch.stack([(a - b).square().sum() for a, b in zip(current, target, strict=True)]).sum()
        distance.backward()  # type: ignore[no-untyped-call]
        return distance

    for iteration in range(1, iterations + 1):
        distance = optimizer.step(objective)  # type: ignore[no-untyped-call]
        if iteration in KEPT:
            sys.stderr.write(f"iteration {iteration}: gradient distance {distance.item():.3g}\n")
            kept[iteration] = guess.detach().clone()
    return kept


def main() -> None:
    """Attack once and write the images."""
    torch.manual_seed(SEED)
    photograph = decode(IMAGES / "dog.jpg")
    side = min(photograph.shape[:2])
    original = resize(photograph[:side, :side], SIDE, SIDE)
    Image.fromarray(original).save(IMAGES / "dog_32.png")
    image = torch.from_numpy(original.transpose(2, 0, 1)[None].astype(np.float32) / 255.0)
    network = lenet()
    target = tuple(part.detach() for part in gradient(network, image, differentiable=False))
    folder = IMAGES / "dog_32"
    folder.mkdir(exist_ok=True)
    for iteration, tensor in invert(network, target, max(KEPT)).items():
        pixels = images_from_tensor(tensor, mean=(0, 0, 0), std=(1, 1, 1), value_range=(0.0, 1.0))
        Image.fromarray(pixels[0]).save(folder / f"{iteration:03}.png")


if __name__ == "__main__":
    main()
