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
from semsim_training.client_images.normalisation import normalise
from semsim_training.gradients.local_steps import LocalStepDeltas
from semsim_training.gradients.terms import DenseTerm, NormalisedTerm
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.client_side import Protocol
from tests.training.small import observations, smooth_images, victim

SGD = LocalTraining(0.01, 1)
ADAM = replace(SGD, learning_rate=1e-3, optimiser="adam")


def test_the_distance_is_the_weighted_sum_of_magnitudes_in_parts_of_the_targets() -> None:
    """Entries count by the fourth root of their second moments, and fully connected layers by half."""
    rng = torch.Generator().manual_seed(0)
    made, sent, second = ([torch.randn(2, rows, 3, generator=rng) for rows in (4, 5)] for _ in range(3))
    second = [value.square() for value in second]
    terms = [NormalisedTerm(made[0], second[0], is_matrix=False), NormalisedTerm(made[1], second[1], is_matrix=True)]
    distances = RelativeManhattan(0.5)(terms, RelativeManhattan(0.5).prepare(sent))
    for client in range(2):
        shares = zip((1, 0.5), (value[client] for value in second), strict=True)
        weights = [share * (value / value.mean()) ** 0.25 for share, value in shares]
        triples = list(zip(weights, (value[client] for value in made), (value[client] for value in sent), strict=True))
        apart = sum(float((weight * (a - b).abs()).sum()) for weight, a, b in triples)
        whole = sum(float((weight * b.abs()).sum()) for weight, _, b in triples)
        assert float(distances[client]) == pytest.approx(0.5 * apart / whole, rel=1e-5)


def test_parameters_without_a_gradient_have_a_distance() -> None:
    """Second moments of zero, as of layers that the loss does not use, and whole deltas of zero give finite numbers."""
    zeros = torch.zeros(2, 4, 3)
    assert not RelativeManhattan()([NormalisedTerm(zeros, zeros, is_matrix=True)], [zeros]).any()
    with pytest.raises(TypeError, match="expected a term of Adam's deltas, got DenseTerm"):
        RelativeManhattan()([DenseTerm(zeros)], [zeros])


def test_the_distance_takes_the_place_of_the_cosine_after_adam_alone() -> None:
    """Other objectives, and the cosine of gradients and of SGD's deltas, stay."""
    assert objective_against(ADAM, Cosine(2.0)) == RelativeManhattan(0.4)
    for training, objective in ((None, Cosine()), (SGD, Cosine()), (ADAM, Euclidean())):
        assert objective_against(training, objective) is objective


@pytest.mark.parametrize("vectorised", [True, False])
def test_deltas_of_adam_know_their_second_moments(vectorised: bool) -> None:
    """They are the mean squares of the gradients of a single step, and derivatives do not pass through them."""
    attacked = victim("lenet", size=16)
    pixels = normalise(smooth_images(2, 16), attacked.inputs).requires_grad_()
    labels = torch.arange(2)
    plain, adam = (
        LocalStepDeltas(attacked.model, 1, training, train_batchnorm=False, vectorised=vectorised)(pixels, labels)
        for training in (replace(SGD, learning_rate=1.0), ADAM)
    )
    for name, gradient, delta in zip(dict(attacked.model.named_parameters()), plain, adam, strict=True):
        assert isinstance(delta, NormalisedTerm)
        assert delta.is_matrix == (name == "classifier.weight")
        assert not delta.second.requires_grad
        assert torch.allclose(delta.second, 1e-3 * gradient.dense().square(), rtol=1e-2, atol=1e-9), name


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
