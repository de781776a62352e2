"""Attacks in closed form."""

from dataclasses import replace

import numpy as np
import pytest

from semsim.exceptions import InvalidUpdate
from semsim.pixel_metrics import mse, psnr
from semsim_training.attacks.closed_form import closed_form, imprint
from semsim_training.attacks.reconstruction import Status
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.client_side import Protocol, observe
from tests.training.small import observations, smooth_images, victim


def test_a_fully_connected_first_layer_gives_the_image_away() -> None:
    """One image comes back to the last bit but for rounding."""
    for index, observation in enumerate(observations(victim("perceptron", 32), 5)):
        result = closed_form(observation)
        assert result.status is Status.MATCHED
        assert int(np.abs(result.images[0].astype(int) - smooth_images(5)[index]).max()) <= 1


def test_another_normalisation_is_suggested() -> None:
    """Pixels beyond black and white are cut, which leaves a part unexplained, and the hint says why that may be."""
    (seen,) = observations(victim("perceptron", 32), 1)
    told = seen.victim.inputs.model_copy(update={"std": (255.0, 255.0, 255.0)})
    result = closed_form(replace(seen, victim=replace(seen.victim, inputs=told)))
    assert result.status is not Status.MATCHED
    assert result.explanation is not None
    assert "the images were normalised otherwise" in result.explanation.hint


def test_the_imprint_module_gives_most_of_a_batch_away() -> None:
    """More than half of 16 images come back above 30 dB, in some order."""
    images = smooth_images(16)
    for index in range(16):  # means of photographs differ more than those of smooth noise
        images[index] = np.clip(images[index].astype(float) + 7 * index - 56, 0, 255)
    observation = observe(victim("imprint", 128), images, np.arange(16) % 10, Protocol(), seed=0)
    reconstructions = imprint(observation).images
    best = [max(psnr(mse(np.stack([image] * 16), reconstructions))) for image in images]
    assert sum(value > 30 for value in best) > 8


def test_closed_forms_refuse_other_victims_and_updates() -> None:
    """The error names a first convolution, two images, a weight delta and a missing imprint module."""
    with pytest.raises(InvalidUpdate, match=r"whose first layer is fully connected .* got features.0: Conv2d"):
        closed_form(observations(victim("lenet"), 1)[0])
    with pytest.raises(InvalidUpdate, match="expected one image for the attack closed-form, got 2"):
        closed_form(observations(victim("perceptron", 32), 1, 2)[0])
    delta = observations(victim("perceptron", 32), 1, 1, Protocol(local_training=LocalTraining(0.1, 1, epochs=2)))[0]
    with pytest.raises(InvalidUpdate, match="expected a gradient or the delta of one step of SGD"):
        closed_form(delta)
    with pytest.raises(InvalidUpdate, match="expected a victim with an imprint module"):
        imprint(delta)
