"""Batch statistics from the running statistics that clients send."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semsim.exceptions import InvalidUpdate
from semsim_training.client_images.normalisation import normalise
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.batch_statistics import batch_statistics
from semsim_training.observations.client_side import Protocol
from semsim_training.observations.observation import Victim
from tests.training.small import observations, smooth_images, victim

SENT = Protocol(batchnorm="train", send_statistics=True)


def activations(attacked: Victim, images: Tensor) -> list[Tensor]:
    """The input of each batch normalisation when a client trains on the images."""
    model, seen = copy.deepcopy(attacked.model).train(), []
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().double()))
    model(images)
    return seen


@pytest.mark.parametrize("training", [None, LocalTraining(0.05, 4)])
def test_one_step_gives_the_batch_away(training: LocalTraining | None) -> None:
    """Every layer's means and biased variances come out, with a gradient and with a weight delta."""
    attacked = victim("resnet20", 4, 16)
    (seen,) = observations(attacked, 1, 4, replace(SENT, local_training=training))
    expected = activations(attacked, normalise(smooth_images(4, 16), attacked.inputs))
    recovered = batch_statistics(seen)
    assert len(recovered) == len(expected) == 21
    for statistics, values in zip(recovered, expected, strict=True):
        variance, mean = torch.var_mean(values, dim=(0, 2, 3), correction=0)
        assert torch.allclose(statistics.mean, mean, rtol=1e-5, atol=1e-5)
        assert torch.allclose(statistics.variance, variance, rtol=1e-5, atol=1e-5)


def test_several_steps_leave_their_weighted_average() -> None:
    """With momentum 0.1 the first of two steps weighs 0.9, the second 1, both divided by 1.9."""
    attacked = victim("resnet20", 4, 16)
    training = LocalTraining(0.05, 2)
    (seen,) = observations(attacked, 1, 4, replace(SENT, local_training=training))
    pixels, labels = normalise(smooth_images(4, 16), attacked.inputs), torch.arange(4)
    first = activations(attacked, pixels[:2])
    stepped = copy.deepcopy(attacked.model).train()
    F.cross_entropy(stepped(pixels[:2]), labels[:2]).backward()
    torch.optim.SGD(stepped.parameters(), lr=0.05).step()
    second = activations(replace(attacked, model=stepped), pixels[2:])
    for statistics, one, two in zip(batch_statistics(seen), first, second, strict=True):
        mean = (0.9 * one.mean(dim=(0, 2, 3)) + two.mean(dim=(0, 2, 3))) / 1.9
        assert torch.allclose(statistics.mean, mean, rtol=1e-5, atol=1e-5)


def test_a_client_that_keeps_them_says_nothing() -> None:
    """By default no statistics are sent; without them, or without a momentum, there is nothing to undo."""
    attacked = victim("resnet20", 4, 16)
    (silent,) = observations(attacked, 1, 4, Protocol(batchnorm="train"))
    assert not silent.update.running_statistics
    with pytest.raises(InvalidUpdate, match="expected a client that sends its running statistics, got none"):
        batch_statistics(silent)
    (seen,) = observations(attacked, 1, 4, SENT)
    next(layer for layer in attacked.model.modules() if isinstance(layer, nn.BatchNorm2d)).momentum = None
    with pytest.raises(InvalidUpdate, match="expected a momentum of batch normalisation in bn1, got None"):
        batch_statistics(seen)


def test_refuses_statistics_that_do_not_fit() -> None:
    """Evaluation mode moves no statistics; names, shapes and numbers must be the victim's."""
    attacked = victim("resnet20", 4, 16)
    with pytest.raises(InvalidUpdate, match="expected batch normalisation in training mode"):
        observations(attacked, 1, 4, replace(SENT, batchnorm="eval"))
    (seen,) = observations(attacked, 1, 4, SENT)
    sent = dict(seen.update.running_statistics)
    for changed, message in (
        (sent | {"bn1.running_mean": torch.zeros(3)}, r"expected finite bn1.running_mean of shape \(4,\)"),
        (sent | {"bn1.running_mean": torch.full((4,), np.nan)}, "expected finite bn1.running_mean"),
        ({"bn1.running_mean": torch.zeros(4)}, "expected running statistics of 42 names, got 1"),
    ):
        with pytest.raises(InvalidUpdate, match=message):
            replace(seen, update=replace(seen.update, running_statistics=changed))
