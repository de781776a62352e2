"""The share of labels that are recovered from an update, against counting with uniform probabilities.

python -m benchmarks.labels [--write FILE]
"""

from pathlib import Path

import numpy as np
import torch

from benchmarks.harness.reports import options, publish
from semsim_training.attacks.label_counts import naive_counts
from semsim_training.attacks.labels import infer_labels, last_layer_gradient
from semsim_training.client_images.labelled import LabelledImages
from semsim_training.client_images.source import ImageSource
from semsim_training.gradients.update import LocalTraining
from semsim_training.markdown import table
from semsim_training.observations.client_side import Protocol, observe
from semsim_training.observations.observation import Victim
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Architecture, Network
from semsim_training.victims.victim_checkpoint import load_victim

CLIENTS = 50
SIZES = (1, 4, 16, 64)
FEW_CLASSES = 3
GRADIENT = Protocol(reveal_labels=False)
DELTA = Protocol(local_training=LocalTraining(1e-3, 4), reveal_labels=False)
"""Weight deltas of one epoch in batches of 4."""


def main() -> None:
    """Print the table; with ``--write`` keep it in a page."""
    arguments = options(__doc__, "labels", images=True).parse_args()
    rows = [
        [name, kind, *(_cell(victim, images, protocol, size, classes) for size in SIZES)]
        for name, victim, images, protocol in _settings(arguments.data)
        for kind, classes in (("any class", victim.inputs.classes), ("three classes", FEW_CLASSES))
    ]
    head = ["victim", "clients of", *(f"{size} image{'s' * (size > 1)}" for size in SIZES)]
    what = f"{CLIENTS} clients each, test images at random; the share of labels recovered, naively in brackets."
    publish(f"{what}\n\n{table(head, rows)}", "labels", arguments.write)


def _settings(data: Path) -> list[tuple[str, Victim, LabelledImages, Protocol]]:
    cifar = ImageSource(folder=data / "cifar10" / "test", name="cifar10", size=32).load()
    caltech = ImageSource(folder=data / "caltech101", size=64, test_share=0.15, split="test").load()
    lenet = Network(architecture=Architecture.LENET, classes=10, size=32)
    resnet = Network(architecture=Architecture.RESNET20, classes=10, size=32)
    trained = _trained("resnet20-cifar10")
    return [
        ("CIFAR-10, LeNet, untrained", Victim(build_network(lenet, 0), lenet.inputs), cifar, GRADIENT),
        ("CIFAR-10, ResNet20, untrained", Victim(build_network(resnet, 0), resnet.inputs), cifar, GRADIENT),
        ("CIFAR-10, ResNet20, trained", trained, cifar, GRADIENT),
        ("the same, weight deltas of steps on 4 images", trained, cifar, DELTA),
        ("Caltech-101, ResNet20, trained", _trained("resnet20-caltech101"), caltech, GRADIENT),
    ]


def _trained(name: str) -> Victim:
    model, description = load_victim(Path(f"models/victims/{name}.safetensors"))
    return Victim(model, description.network.inputs, trained=True)


def _cell(victim: Victim, images: LabelledImages, protocol: Protocol, size: int, classes: int) -> str:
    if protocol.local_training is not None and size % protocol.local_training.batch_size:
        return ""
    rng, ours, naive, all_classes = np.random.default_rng(size), 0, 0, victim.inputs.classes
    for client in range(CLIENTS):
        held = np.flatnonzero(np.isin(images.labels, rng.permutation(all_classes)[:classes]))
        client_images = images.take(rng.choice(held, size))
        observation = observe(victim, client_images.images, client_images.labels, protocol, client)
        _, bias = last_layer_gradient(observation)
        truth = torch.bincount(torch.from_numpy(client_images.labels), minlength=all_classes)
        inferred = torch.bincount(torch.tensor(infer_labels(observation)), minlength=all_classes)
        ours += int(torch.minimum(inferred, truth).sum())
        naive += int(torch.minimum(naive_counts(bias, size), truth).sum())
    return f"**{ours / (CLIENTS * size):.1%}** ({naive / (CLIENTS * size):.1%})"


if __name__ == "__main__":
    main()
