"""The parts of a round that an attacker can and cannot see."""

import dataclasses
import gc
from types import FunctionType, ModuleType

import numpy as np
import pytest
import torch

from semsim.exceptions import InvalidUpdate
from semsim_training.client_images.normalisation import normalise
from semsim_training.gradients.update import LocalTraining, Update
from semsim_training.observations.client_side import Protocol, observe
from semsim_training.observations.observation import Observation, Victim
from tests.training.small import observations, smooth_images, victim


@pytest.fixture(scope="module")
def lenet() -> Victim:
    """An untrained LeNet."""
    return victim("lenet")


def reachable(root: object) -> list[object]:
    """Everything that can be reached through references, leaving code and modules aside."""
    seen: dict[int, object] = {}
    waiting = [root]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, (type, ModuleType, FunctionType)):
            continue
        seen[id(thing)] = thing
        waiting += gc.get_referents(thing)
        if isinstance(thing, torch.Tensor):
            waiting += [value for value in (thing.grad, thing.grad_fn) if value is not None]
    return list(seen.values())


@pytest.mark.parametrize(
    ("architecture", "protocol"),
    [("lenet", Protocol()), ("resnet20", Protocol(batchnorm="train", send_statistics=True))],
)
def test_the_original_cannot_be_reached(architecture: str, protocol: Protocol) -> None:
    """Nothing that hangs on an observation holds the pixels, as bytes or normalised, nor a graph that might."""
    attacked = victim(architecture)
    images = smooth_images(1)
    observation = observe(attacked, images, np.array([3]), protocol, seed=0)
    pixels = normalise(images, attacked.inputs)
    things = reachable(observation)
    tensors = [thing for thing in things if isinstance(thing, torch.Tensor)]
    assert len(tensors) >= 2 * len(observation.update.tensors) + len(observation.update.running_statistics)
    assert bool(observation.update.running_statistics) == protocol.send_statistics
    assert all(tensor.grad_fn is None for tensor in tensors if not isinstance(tensor, torch.nn.Parameter))
    assert not [tensor for tensor in tensors if tensor.shape[-3:] == pixels.shape[-3:]]
    assert not [thing for thing in things if isinstance(thing, np.ndarray) and thing.size == images.size]
    assert not [thing for thing in things if isinstance(thing, bytes) and images.tobytes()[:64] in thing]


def test_frozen(lenet: Victim) -> None:
    """Neither the observation nor its tensors' mapping can be changed."""
    (observation,) = observations(lenet, 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        observation.images = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        observation.update.tensors["classifier.bias"] = torch.zeros(10)  # type: ignore[index]


def test_refuses_what_does_not_fit(lenet: Victim) -> None:
    """Another network's tensors, shapes, NaN and labels out of range are named."""
    (good,) = observations(lenet, 1)
    tensors = dict(good.update.tensors)
    with pytest.raises(InvalidUpdate, match=r"missing hidden.bias, hidden.weight, not the model's features.0.weight"):
        Observation(victim("perceptron"), Update({k: v for k, v in tensors.items() if k != "features.0.bias"}))
    with pytest.raises(InvalidUpdate, match=r"expected classifier.bias of shape \(10,\) in the update, got \(9,\)"):
        Observation(lenet, Update(tensors | {"classifier.bias": torch.zeros(9)}))
    with pytest.raises(InvalidUpdate, match=r"got NaN or infinity in classifier\.bias"):
        Observation(lenet, Update(tensors | {"classifier.bias": torch.full((10,), torch.nan)}))
    with pytest.raises(InvalidUpdate, match=r"expected labels 0..9, got 10"):
        Observation(lenet, good.update, labels=(10,))
    with pytest.raises(InvalidUpdate, match="expected one label for each of 2 images, got 1"):
        Observation(lenet, good.update, images=2, labels=(1,))
    with pytest.raises(InvalidUpdate, match="expected a schedule of 2 steps, got 3 factors"):
        Observation(lenet, Update(tensors, LocalTraining(0.1, 2, schedule=(1.0, 0.5, 0.1))), images=3)
    with pytest.raises(InvalidUpdate, match="expected a positive learning rate"):
        LocalTraining(0.0, 1)


def test_a_client_refuses_images_and_labels_that_do_not_fit(lenet: Victim) -> None:
    """The wrong size and a label that the victim has no class for."""
    with pytest.raises(InvalidUpdate, match=r"expected uint8 images \(m, 32, 32, 3\)"):
        observe(lenet, smooth_images(1, 16), np.array([0]), Protocol(), seed=0)
    with pytest.raises(InvalidUpdate, match=r"expected labels 0..9, got 10..10"):
        observe(lenet, smooth_images(1), np.array([10]), Protocol(), seed=0)
