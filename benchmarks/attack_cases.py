"""The victims of the benchmarks of attacks, and the plain one-image loop that they are compared with."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from semsim_training.client_images.network_inputs import Inputs
from semsim_training.observations.client_side import Protocol, observe
from semsim_training.observations.observation import Observation, Victim
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Architecture, Network

CLASSES = 100


@dataclass(frozen=True, slots=True)
class AttackCase:
    """One victim, and how many clients go into one graph on a CPU."""

    name: str
    build: Callable[[], nn.Module]
    size: int
    clients: tuple[int, ...]

    def observations(self, count: int) -> list[Observation]:
        """The gradients of ``count`` clients of one image of noise each, all of one victim."""
        torch.manual_seed(0)
        inputs = Inputs(size=self.size, classes=CLASSES, mean=127.5, std=64.0)
        victim = Victim(self.build(), inputs, self.name)
        images = np.random.default_rng(0).integers(0, 256, (count, self.size, self.size, 3), dtype=np.uint8)
        labels = np.arange(count) % CLASSES
        return [observe(victim, images[i : i + 1], labels[i : i + 1], Protocol(), 0) for i in range(count)]

    def candidates(self, count: int, device: torch.device) -> Tensor:
        """Candidates ``(count, 1, 3, size, size)``, standard normal."""
        generator = torch.Generator().manual_seed(0)
        return torch.randn(count, 1, 3, self.size, self.size, generator=generator).to(device)


def _own(architecture: Architecture, width: int | None) -> nn.Module:
    network = Network(architecture=architecture, width=width, classes=CLASSES, size=32)
    return build_network(network, 0, "uniform" if architecture is Architecture.LENET else "default")


CASES: Sequence[AttackCase] = (
    AttackCase("LeNet", partial(_own, Architecture.LENET, None), 32, (1, 128)),
    AttackCase("ResNet20 width 16", partial(_own, Architecture.RESNET20, 16), 32, (1, 128)),
    AttackCase("ResNet20-4 (width 64)", partial(_own, Architecture.RESNET20, 64), 32, (8,)),
    AttackCase("ConvNet (width 64)", partial(_own, Architecture.CONVNET, 64), 32, (8,)),
    AttackCase("MobileNetV2", partial(torchvision.models.mobilenet_v2, num_classes=CLASSES), 64, (1, 32)),
    AttackCase(
        "EfficientNet-Lite0", partial(timm.create_model, "tf_efficientnet_lite0", num_classes=CLASSES), 64, (1, 32)
    ),
    AttackCase(
        "ViT tiny, 8 px patches",
        partial(timm.create_model, "vit_tiny_patch16_224", img_size=64, patch_size=8, num_classes=CLASSES),
        64,
        (1, 32),
    ),
    AttackCase("ResNet-18", partial(torchvision.models.resnet18, num_classes=CLASSES), 64, (1, 32)),
)


def plain_loop(observation: Observation, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    """One image and iteration as the reference code does it; fused attention, which it cannot differentiate, is off."""
    model = copy.deepcopy(observation.victim.model).to(device).eval()
    parameters = list(model.parameters())
    targets = [observation.update.tensors[name].to(device) for name, _ in model.named_parameters()]
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            setattr(module, "fused_attn", False)  # noqa: B010  # the module's class does not tell its type

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


def processor_seconds(run: Callable[[], object]) -> float:
    """The processor time of one run, on which other work on the machine weighs less than on the clock's."""
    start = time.process_time()
    run()
    return time.process_time() - start
