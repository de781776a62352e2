"""Gradient inversion of many clients at once against a plain one-image loop.

    python -m benchmarks.attacks [--device cuda] [--write FILE]

The loop is how the reference code works: one image, PyTorch's own double backward. Both compute the same
objective and image gradient in the same process, in turn, on one thread of a CPU or on one GPU.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.harness.reports import options, publish, records_table
from semsim.memory import keep_freed_memory
from semsim_training.attacks.candidate_evaluation import Evaluation
from semsim_training.attacks.presets import preset
from semsim_training.machine import machine
from semsim_training.observations.client import Protocol, observe
from semsim_training.observations.observation import Observation, Victim
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Architecture, Network

RUNS = 7


@dataclass(frozen=True, slots=True)
class AttackCase:
    """One victim, and how many clients go into one graph."""

    name: str
    architecture: Architecture
    width: int | None
    clients: int
    clients_on_gpu: int


CASES = (
    AttackCase("LeNet", Architecture.LENET, None, 128, 2048),
    AttackCase("ResNet20 width 16", Architecture.RESNET20, 16, 128, 1024),
    AttackCase("ResNet20-4 (width 64)", Architecture.RESNET20, 64, 8, 256),
    AttackCase("ConvNet (width 64)", Architecture.CONVNET, 64, 8, 128),
)


def main() -> None:
    """Measure, and print the table; with ``--write`` keep it in a page."""
    parser = options(__doc__, "attack speed")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # for both sides
    device = torch.device(arguments.device)
    rows = [_row(case, device) for case in CASES]
    name = machine() if device.type == "cpu" else torch.cuda.get_device_name()
    text = (
        "CIFAR-sized images (32 px), untrained victims, objective and image gradient of Inverting Gradients; "
        f"{RUNS} runs in turn, medians, the ratio run by run (lowest to highest); images an hour: 1000 iterations.\n\n"
        f"Machine: {name}; one thread, torch {torch.__version__}.\n\n{records_table(rows)}"
    )
    publish(text, "attack speed", arguments.write)


def _row(case: AttackCase, device: torch.device) -> dict[str, object]:
    clients = case.clients if device.type == "cpu" else case.clients_on_gpu
    observations = _observations(case, clients)
    evaluation = Evaluation(preset("inversed"), observations, device, torch.float32)
    x = torch.randn(clients, 1, 3, 32, 32, generator=torch.Generator().manual_seed(0)).to(device)
    labels = torch.tensor([observation.labels for observation in observations], device=device)
    loop = _loop(observations[0], device)
    ours = evaluation(x, labels, evaluation.targets).by_images[0]
    plain = loop(x[0], labels[0])
    signs = float((ours.sign() == plain.sign()).float().mean())
    difference = float((ours - plain).norm() / plain.norm())
    ratios, times = [], []
    for _ in range(RUNS):
        single = _seconds(lambda: loop(x[0], labels[0]), device)
        together = _seconds(lambda: evaluation(x, labels, evaluation.targets), device) / clients
        ratios.append(single / together)
        times.append((single * 1e3, together * 1e3))
    alone, shared = (median(column) for column in zip(*times, strict=True))
    return {
        "victim": case.name,
        "clients at once": clients,
        "loop, ms": f"{alone:.2f}",
        "at once, ms an image": f"{shared:.2f}",
        "ratio": f"**{median(ratios):.1f}** ({min(ratios):.1f} to {max(ratios):.1f})",
        "images an hour": f"{3600 / shared:.0f}",
        "equal signs": f"{signs:.4%}",
        "relative difference": f"{difference:.1e}",
    }


def _observations(case: AttackCase, clients: int) -> list[Observation]:
    network = Network(architecture=case.architecture, width=case.width, classes=100, size=32)
    victim = Victim(
        build_network(network, 0, "uniform" if case.architecture is Architecture.LENET else "default"), network.inputs
    )
    images = np.random.default_rng(0).integers(0, 256, (clients, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(clients) % 100
    return [observe(victim, images[i : i + 1], labels[i : i + 1], Protocol(), 0) for i in range(clients)]


def _loop(observation: Observation, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    """One image and iteration as the reference code does it."""
    model = copy.deepcopy(observation.victim.model).to(device)
    parameters = list(model.parameters())
    targets = [observation.update.tensors[name].to(device) for name, _ in model.named_parameters()]

    def image_gradient(x: Tensor, labels: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        loss = F.cross_entropy(model(x), labels)
        gradients = torch.autograd.grad(loss, parameters, create_graph=True)
        dot = torch.stack([(a * b).sum() for a, b in zip(gradients, targets, strict=True)]).sum()
        square = torch.stack([a.square().sum() for a in gradients]).sum()
        target = torch.stack([b.square().sum() for b in targets]).sum()
        variation = (x[..., 1:] - x[..., :-1]).abs().mean() + (x[..., 1:, :] - x[..., :-1, :]).abs().mean()
        (gradient,) = torch.autograd.grad(1 - dot / (square.sqrt() * target.sqrt()) + 1e-4 * variation, x)
        return gradient

    return image_gradient


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    synchronize: Callable[[], None] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    run()
    synchronize()
    start = time.perf_counter()
    run()
    synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
