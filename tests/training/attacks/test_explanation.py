"""An attack says how much of the update its images explain, beside images of no worth."""

import copy
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from semsim_training.attacks.closed_form import IMPRINTED, imprint
from semsim_training.attacks.explanation import explanations, status_of
from semsim_training.attacks.label_pairing import paired_labels
from semsim_training.attacks.presets import PRESETS, preset
from semsim_training.attacks.reconstruction import Explanation, Status
from semsim_training.attacks.search import Options, Search
from semsim_training.client_images.normalisation import normalise
from semsim_training.defenses.defense import Defense
from semsim_training.gradients.update import LocalTraining, Update
from semsim_training.observations.client_side import Protocol, observe
from semsim_training.observations.observation import Observation
from tests.training.small import observations, smooth_images, victim


def _explained_by_originals(observation: Observation, images: int = 1, size: int = 16) -> Explanation:
    labels = tuple(index % 10 for index in range(images))
    (explanation,) = explanations([observation], [smooth_images(images, size)], [labels])
    return explanation


@pytest.mark.parametrize(
    "protocol",
    [
        Protocol(),
        Protocol(batchnorm="train"),
        Protocol(local_training=LocalTraining(0.01, 1, epochs=2)),
        Protocol(local_training=LocalTraining(0.01, 2, optimiser="adam")),
    ],
)
def test_originals_explain_the_update(protocol: Protocol) -> None:
    """A gradient, a batch in training mode and deltas are explained by the client's own images, and by no others."""
    explanation = _explained_by_originals(observations(victim("resnet20", 4, 16), 1, 2, protocol)[0], images=2)
    assert explanation.share == pytest.approx(1, abs=1e-3)
    assert explanation.cosine == pytest.approx(1, abs=1e-3)
    assert max(explanation.zero, explanation.random) < 0.99
    assert status_of(explanation) is Status.MATCHED
    assert not explanation.hint


def test_clients_of_a_batch_are_explained_as_alone() -> None:
    """The other clients of a batch change nothing."""
    seen = observations(victim("lenet", size=16), 3)
    images = [smooth_images(1, 16, seed=index) for index in range(3)]
    together = explanations(seen, images, [(0,), (1,), (2,)])
    for index, (one, explanation) in enumerate(zip(seen, together, strict=True)):
        (alone,) = explanations([one], [images[index]], [(index,)])
        assert alone.share == pytest.approx(explanation.share, rel=1e-5)
        assert alone.random == pytest.approx(explanation.random, rel=1e-5)


@pytest.mark.parametrize(
    ("defense", "hint"),
    [
        ("clip:1e-3", "times as long: it was clipped"),
        ("prune:0.9", "Zeros are scattered over the update"),
        ("sign", "entries have one magnitude"),
        ("gaussian:3e-2", ""),
    ],
)
def test_defended_updates_are_explained_in_part_and_never_matched(defense: str, hint: str) -> None:
    """The originals explain what a defense leaves, in their own scale where theirs is lost, and the hint says why."""
    seen = observations(victim("lenet", size=16), 1, protocol=Protocol(defense=Defense(defense)))
    explanation = _explained_by_originals(seen[0])
    assert status_of(explanation) is Status.PARTLY
    assert explanation.share > explanation.worthless
    assert hint in explanation.hint


@pytest.mark.slow
def test_adam_told_as_sgd_is_unexplained_with_that_hint() -> None:
    """Three steps of Adam are matched by the originals when declared; told as SGD they explain nothing."""
    training = LocalTraining(1e-3, 1, epochs=3, optimiser="adam")
    for name, width in (("lenet", None), ("resnet20", 4)):
        (declared,) = observations(victim(name, width, 16), 1, protocol=Protocol(local_training=training))
        assert status_of(_explained_by_originals(declared)) is Status.MATCHED
        told = replace(declared, update=Update(declared.update.tensors, replace(training, optimiser="sgd")))
        explanation = _explained_by_originals(told)
        assert status_of(explanation) is Status.NOTHING_FOUND
        assert "as those of Adam, and SGD is declared" in explanation.hint
        (searched,) = Search(replace(preset("smooth"), iterations=3), [told], [0]).run()
        assert searched.status is Status.NOTHING_FOUND


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (lambda seen: replace(seen, images=1, labels=None), "images of at least 2 classes, and 1 images are declared"),
        (lambda seen: replace(seen, labels=(0, 5)), "an image of class 1, which is not among the labels"),
        (lambda seen: _scaled(seen, 2.0), "larger than a mean gradient's can be: check whether losses were summed"),
        (lambda seen: replace(seen, rounding=0.3), "Rounding makes 30% of the update"),
        (lambda seen: replace(seen, batchnorm="train"), "does not stand upright on the weights"),
    ],
)
def test_what_is_declared_wrongly_is_suggested(change: Callable[[Observation], Observation], hint: str) -> None:
    """Too few images, other labels, summed losses and another mode of batch normalisation."""
    seen = change(observations(victim("resnet20", 4, 16), 1, 2)[0])
    (explanation,) = explanations([seen], [smooth_images(seen.images, 16, seed=3)], [(0, 5)[: seen.images]])
    assert hint in explanation.hint


def test_training_mode_told_as_evaluation_is_suggested() -> None:
    """Gradients that stand upright on the weights say how batch normalisation worked."""
    (seen,) = observations(victim("resnet20", 4, 16), 1, 2, Protocol(batchnorm="train"))
    (explanation,) = explanations([replace(seen, batchnorm="eval")], [smooth_images(2, 16)], [(0, 1)])
    assert "declare batch normalisation in training mode" in explanation.hint
    adam = Protocol(LocalTraining(1e-3, 2, optimiser="adam"), "train")
    (explanation,) = explanations(
        observations(victim("resnet20", 4, 16), 1, 2, adam), [smooth_images(2, 16, seed=3)], [(0, 1)]
    )
    assert "upright" not in explanation.hint


def _scaled(seen: Observation, factor: float) -> Observation:
    return replace(seen, update=Update({name: factor * value for name, value in seen.update.tensors.items()}))


def test_images_without_labels_are_paired_with_them() -> None:
    """Behind an imprint module each image gets the class that it has, and exact images explain their bins."""
    images = smooth_images(8)
    for index in range(8):
        images[index] = np.clip(images[index].astype(float) + 15 * index - 56, 0, 255)
    classes = np.arange(8) % 3
    seen = observe(victim("imprint", 128), images, classes, Protocol(reveal_labels=False), seed=0)
    order = np.random.default_rng(0).permutation(8)
    told = replace(seen, labels=tuple(classes.tolist()))
    assert paired_labels(told, images[order], (-1,) * 8, IMPRINTED) == tuple(classes[order].tolist())
    made = imprint(seen)
    assert made.labels == (-1,) * 8
    assert made.explanation is not None
    assert made.explanation.share > 0.5 > 0.1 > made.explanation.worthless


def test_numbers_that_are_not_finite_explain_nothing() -> None:
    """NaN is never a success."""
    assert status_of(Explanation(float("nan"), 0.0, 0.0, 0.0)) is Status.NOTHING_FOUND
    assert Explanation(0.5, 0.8, float("nan"), float("nan")).worthless == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({"dlg", "idlg", "inversed", "inversed-l2", "smooth", "modern"} & set(PRESETS)))
def test_no_attack_ends_well_with_less_than_random_images(name: str) -> None:
    """Whatever a short search ends with, a status of success has a share above that of images of no worth."""
    seen = observations(victim("lenet", size=16), 4)
    for iterations in (1, 8):
        for made in Search(replace(preset(name), iterations=iterations, retries=0), seen, range(4)).run():
            assert (made.explanation is None) == (made.status is Status.DIVERGED)
            if made.explanation is not None and made.status is not Status.NOTHING_FOUND:
                assert made.explanation.share > max(made.explanation.random, made.explanation.zero)


@pytest.mark.slow
def test_stalls_are_tried_again() -> None:
    """Clients of iDLG that the first start leaves unexplained are tried again; none of ten gets worse."""
    seen = observations(victim("lenet", size=16), 10)
    recipe = replace(preset("idlg"), iterations=60)
    once, again = (Search(replace(recipe, retries=retries), seen, range(10)).run() for retries in (0, 2))
    for first, last in zip(once, again, strict=True):
        assert (first.status is Status.MATCHED) <= (last.status is Status.MATCHED)
        if first.explanation is not None and last.explanation is not None:
            assert last.explanation.share >= first.explanation.share
    assert sum(one.status is Status.MATCHED for one in again) >= sum(one.status is Status.MATCHED for one in once)


def test_time_ends_a_search_with_the_best_so_far() -> None:
    """A search of more iterations than there is time for ends with finite images, the best that it has seen."""
    seen = observations(victim("lenet", size=16), 2)
    recipe = replace(preset("inversed"), iterations=10**6)
    results = Search(recipe, seen, [0, 1], Options(seconds=0.3)).run()
    assert all(np.isfinite(result.objective) and result.explanation is not None for result in results)


def test_explaining_leaves_the_model_alone() -> None:
    """The victim's weights, buffers and mode are as before."""
    attacked = victim("resnet20", 4, 16)
    attacked.model.train()
    before = copy.deepcopy(attacked.model.state_dict())
    seen = observe(attacked, smooth_images(1, 16), np.array([3]), Protocol(), 0)
    explanations([seen], [smooth_images(1, 16)], [(3,)])
    assert attacked.model.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in attacked.model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in attacked.model.state_dict().items())
    pixels = normalise(smooth_images(1, 16), attacked.inputs)
    assert F.cross_entropy(attacked.model(pixels), torch.tensor([3])).requires_grad


def test_dropout_is_named_where_little_is_explained() -> None:
    """A network with dropout may have been trained with it on, which nobody can repeat."""
    attacked = victim("lenet", size=16)
    attacked.model.add_module("forgetting", nn.Dropout(0.5))
    (seen,) = observations(attacked, 1)
    (explanation,) = explanations([seen], [smooth_images(1, 16, seed=7)], [seen.labels or ()])
    assert "The network has dropout in forgetting" in explanation.hint


_ADAM, _SGD = LocalTraining(0.001, 1, optimiser="adam"), LocalTraining(0.01, 1)


@pytest.mark.parametrize(
    ("made", "told", "named"),
    [
        (_SGD, _ADAM, "entries have very different magnitudes, which those of adam have not"),
        (replace(_ADAM, learning_rate=0.01), _ADAM, "2 steps of adam at the declared learning rate make one of 0.001"),
        (replace(_ADAM, learning_rate=0.0001), _ADAM, "largest entry is 0.0002"),
        (replace(_SGD, learning_rate=0.01 / 3), _SGD, "0.33. times as long"),
        (replace(_SGD, learning_rate=0.03), _SGD, "check the learning rate"),
    ],
)
def test_a_wrong_optimiser_or_rate_is_named(made: LocalTraining, told: LocalTraining, named: str) -> None:
    """Entries and lengths that the declared training does not make are told, though the images are the client's."""
    (observation,) = observations(victim("perceptron", size=16), 1, 2, Protocol(local_training=made))
    declared = replace(observation, update=Update(observation.update.tensors, told))
    assert re.search(named, _explained_by_originals(declared, images=2).hint)


@pytest.mark.parametrize("training", [None, LocalTraining(0.01, 1, epochs=2), _ADAM])
def test_a_negated_update_is_named(training: LocalTraining | None) -> None:
    """The client's own images point the other way, under a gradient and under deltas."""
    (observation,) = observations(victim("lenet", size=16), 1, 2, Protocol(local_training=training))
    tensors = {name: -value for name, value in observation.update.tensors.items()}
    negated = replace(observation, update=Update(tensors, training))
    explanation = _explained_by_originals(negated, images=2)
    assert "points the other way" in explanation.hint
    assert status_of(explanation) is Status.NOTHING_FOUND


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("optimiser", ["adam", "adamw"])
def test_a_negated_update_of_adam_is_named_whatever_the_images(optimiser: Any, sign: int) -> None:
    """The last bias tells the sign where the images that were found are not the client's, and only then."""
    training = LocalTraining(1e-3, 1, epochs=2, optimiser=optimiser)
    (observation,) = observations(victim("perceptron", 32, 32), 1, 1, Protocol(local_training=training))
    tensors = {name: sign * value for name, value in observation.update.tensors.items()}
    told = replace(observation, update=Update(tensors, training))
    (explanation,) = explanations([told], [smooth_images(1, 32, seed=5)], [(0,)])
    assert ("points the other way" in explanation.hint) == (sign < 0)
