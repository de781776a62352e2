"""How often labels are recovered from an update, against counting with uniform probabilities.

python -m benchmarks.labels [--write FILE]
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import torch

from semsim_training.attacks.label_counts import naive_counts
from semsim_training.attacks.labels import infer_labels, last_layer_gradient
from semsim_training.gradients.update import LocalTraining
from semsim_training.images.labelled import LabelledImages
from semsim_training.images.source import ImageSource
from semsim_training.markdown import write_between
from semsim_training.observations.client import Protocol, observe
from semsim_training.observations.observation import Victim
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Architecture, Network
from semsim_training.victims.victim_checkpoint import load_victim

CLIENTS = 50
SIZES = (1, 4, 16, 64)
FEW_CLASSES = 3
GRADIENT = Protocol(reveal_labels=False)
DELTA = Protocol(local_training=LocalTraining(1e-3, 4), reveal_labels=False)
"""Of one epoch in batches of 4."""


def main() -> None:
    """Print the table; with ``--write`` also keep it in a page between its marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="a Markdown page with <!-- labels --> marks")
    arguments = parser.parse_args()
    if not Path(os.environ.get("SEMSIM_DATA", "")).is_dir() or "SEMSIM_DATA" not in os.environ:
        parser.error("needs real images: set SEMSIM_DATA")
    lines = [
        f"{CLIENTS} clients each, test images at random; the share of labels recovered, naively in brackets.",
        "",
        "| victim | clients of | " + " | ".join(f"{size} image{'s' * (size > 1)}" for size in SIZES) + " |",
        "|---" * (len(SIZES) + 2) + "|",
    ]
    for name, victim, images, protocol in _settings():
        for kind, classes in (("any class", victim.network.classes), ("three classes", FEW_CLASSES)):
            cells = [_cell(victim, images, protocol, size, classes) for size in SIZES]
            lines.append(f"| {name} | {kind} | " + " | ".join(cells) + " |")
    text = "\n".join(lines)
    sys.stdout.write(text + "\n")
    if arguments.write is not None:
        write_between(arguments.write, "labels", text)


def _settings() -> list[tuple[str, Victim, LabelledImages, Protocol]]:
    cifar = ImageSource(folder=Path("$SEMSIM_DATA/cifar10/test"), name="cifar10", size=32).load()
    caltech = ImageSource(folder=Path("$SEMSIM_DATA/caltech101"), size=64, test_share=0.15, split="test").load()
    lenet = Network(architecture=Architecture.LENET, classes=10, size=32)
    resnet = Network(architecture=Architecture.RESNET20, classes=10, size=32)
    trained = _trained("resnet20-cifar10")
    return [
        ("CIFAR-10, LeNet, untrained", Victim(build_network(lenet, 0), lenet), cifar, GRADIENT),
        ("CIFAR-10, ResNet20, untrained", Victim(build_network(resnet, 0), resnet), cifar, GRADIENT),
        ("CIFAR-10, ResNet20, trained", trained, cifar, GRADIENT),
        ("the same, weight deltas of steps on 4 images", trained, cifar, DELTA),
        ("Caltech-101, ResNet20, trained", _trained("resnet20-caltech101"), caltech, GRADIENT),
    ]


def _trained(name: str) -> Victim:
    model, description = load_victim(Path(f"models/victims/{name}.safetensors"))
    return Victim(model, description.network, trained=True)


def _cell(victim: Victim, images: LabelledImages, protocol: Protocol, size: int, classes: int) -> str:
    if protocol.local_training is not None and size % protocol.local_training.batch_size:
        return ""
    rng, ours, naive, all_classes = np.random.default_rng(size), 0, 0, victim.network.classes
    for client in range(CLIENTS):
        held = np.flatnonzero(np.isin(images.labels, rng.permutation(all_classes)[:classes]))
        own = images.take(rng.choice(held, size))
        observation = observe(victim, own.images, own.labels, protocol, client)
        _, bias = last_layer_gradient(observation)
        truth = torch.bincount(torch.from_numpy(own.labels), minlength=all_classes)
        found = torch.bincount(torch.tensor(infer_labels(observation)), minlength=all_classes)
        ours += int(torch.minimum(found, truth).sum())
        naive += int(torch.minimum(naive_counts(bias, size), truth).sum())
    return f"**{ours / (CLIENTS * size):.1%}** ({naive / (CLIENTS * size):.1%})"


if __name__ == "__main__":
    main()
