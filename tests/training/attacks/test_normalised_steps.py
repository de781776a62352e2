"""Attacks on the weight deltas of clients that train by Adam."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from semsim_training.attacks.normalised_steps import RelativeManhattan, objective_against
from semsim_training.attacks.objectives import Cosine, Euclidean
from semsim_training.attacks.presets import preset
from semsim_training.attacks.reconstruction import Status
from semsim_training.attacks.search import Search
from semsim_training.gradients.terms import DenseTerm
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.client import Protocol
from tests.training.small import observations, smooth_images, victim

SGD = LocalTraining(0.01, 1)
ADAM = replace(SGD, learning_rate=1e-3, optimiser="adam")


def test_the_distance_is_the_sum_of_magnitudes_in_parts_of_the_targets() -> None:
    """Each client's distance is its own, and takes the place of the cosine after Adam alone."""
    rng = torch.Generator().manual_seed(0)
    made, sent = ([torch.randn(2, rows, 3, generator=rng) for rows in (4, 5)] for _ in range(2))
    distances = RelativeManhattan(0.5)([DenseTerm(value) for value in made], RelativeManhattan(0.5).prepare(sent))
    for client in range(2):
        apart = sum(float((a[client] - b[client]).abs().sum()) for a, b in zip(made, sent, strict=True))
        whole = sum(float(b[client].abs().sum()) for b in sent)
        assert float(distances[client]) == pytest.approx(0.5 * apart / whole, rel=1e-6)
    assert objective_against(ADAM, Cosine(2.0)) == RelativeManhattan(0.4)
    for training, objective in ((None, Cosine()), (SGD, Cosine()), (ADAM, Euclidean())):
        assert objective_against(training, objective) is objective


def decibels(training: LocalTraining, told: LocalTraining) -> float:
    """The mean PSNR of what a short search makes of two clients of three images, trained on in as many steps."""
    seen = observations(victim("lenet", size=16), 2, 3, Protocol(local_training=training))
    seen = [replace(one, update=replace(one.update, local_training=told)) for one in seen]
    errors: list[float] = []
    for index, result in enumerate(Search(replace(preset("smooth"), iterations=100), seen, [0, 1]).run()):
        assert training == told or result.status is Status.NOTHING_FOUND
        originals = smooth_images(6, 16)[3 * index : 3 * index + 3].astype(float)
        costs = ((originals[:, None] - result.images[None]) ** 2).mean(axis=(2, 3, 4))
        errors += costs[linear_sum_assignment(costs)].tolist()
    return float(np.mean(10 * np.log10(255**2 / np.array(errors))))


@pytest.mark.slow
def test_declared_adam_gives_images_away() -> None:
    """Three steps of Adam and AdamW leak about as much as three steps of SGD; told as SGD nothing is found."""
    adamw = replace(ADAM, optimiser="adamw", weight_decay=0.01)
    by_sgd, by_adam, by_adamw, wrong = (
        decibels(*pair) for pair in ((SGD, SGD), (ADAM, ADAM), (adamw, adamw), (ADAM, SGD))
    )
    assert by_sgd - 0.5 < min(by_adam, by_adamw)
    assert wrong < min(by_adam, by_adamw) - 1
