"""How often labels are recovered from an update, against counting with uniform probabilities.

python -m benchmarks.labels [--write FILE]
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import torch

from training.attacks.labels import infer_labels, last_layer_gradient, naive_counts
from training.images.labelled import LabelledImages
from training.images.source import ImageSource
from training.markdown import write_between
from training.observations.client import Protocol, observe
from training.observations.observation import Victim
from training.victims.checkpoint import load_victim
from training.victims.description import Architecture, Network

CLIENTS = 50
SIZES = (1, 4, 16, 64)
CLASSES_OF_A_CLIENT = {"any class": 10, "three classes": 3}


def main() -> None:
    """Print the table; with ``--write`` also keep it in a page between its marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="a Markdown page with <!-- labels --> marks")
    arguments = parser.parse_args()
    if not Path(os.environ.get("SEMSIM_DATA", "")).is_dir() or "SEMSIM_DATA" not in os.environ:
        parser.error("needs real images: set SEMSIM_DATA")
    images = ImageSource(folder=Path("$SEMSIM_DATA/cifar10/test"), name="cifar10", size=32).load()
    model, description = load_victim(Path("models/victims/resnet20-cifar10.safetensors"))
    untrained = Network(architecture=Architecture.RESNET20, classes=10, size=32)
    victims = {
        "ResNet20, untrained": Victim(untrained.build(0), untrained),
        "ResNet20, trained": Victim(model, description.network, trained=True),
    }
    lines = [
        f"CIFAR-10, {CLIENTS} clients each, images at random; the share of labels recovered, naively in brackets.",
        "",
        "| victim | " + " | ".join(f"{size} image{'s' * (size > 1)}" for size in SIZES) + " |",
        "|---" * (len(SIZES) + 1) + "|",
    ]
    for name, victim in victims.items():
        for kind, classes in CLASSES_OF_A_CLIENT.items():
            cells = [_cell(victim, images, size, classes) for size in SIZES]
            lines.append(f"| {name}, clients of {kind} | " + " | ".join(cells) + " |")
    text = "\n".join(lines)
    sys.stdout.write(text + "\n")
    if arguments.write is not None:
        write_between(arguments.write, "labels", text)


def _cell(victim: Victim, images: LabelledImages, size: int, classes: int) -> str:
    rng, ours, naive = np.random.default_rng(size), 0, 0
    for client in range(CLIENTS):
        held = np.flatnonzero(np.isin(images.labels, rng.permutation(10)[:classes]))
        own = images.take(rng.choice(held, size))
        observation = observe(victim, own.images, own.labels, Protocol(reveal_labels=False), client)
        _, bias = last_layer_gradient(observation)
        truth = torch.bincount(torch.from_numpy(own.labels), minlength=10)
        found = torch.bincount(torch.tensor(infer_labels(observation)), minlength=10)
        ours += int(torch.minimum(found, truth).sum())
        naive += int(torch.minimum(naive_counts(bias, size), truth).sum())
    return f"**{ours / (CLIENTS * size):.1%}** ({naive / (CLIENTS * size):.1%})"


if __name__ == "__main__":
    main()
