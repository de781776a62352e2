"""LOKI takes images out of an aggregate of many clients."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from semsim.exceptions import InvalidUpdate, InvalidVictim
from semsim.pixel_metrics import mse, psnr
from semsim_training.attacks.loki import loki
from semsim_training.attacks.reconstruction import Status
from semsim_training.defenses.defense import Defense
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.aggregate import clients_behind, observe_round
from semsim_training.observations.client_side import Protocol, observe
from semsim_training.observations.observation import Victim
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Architecture, Network
from semsim_training.victims.scaled_imprint import ScaledImprint
from tests.training.small import smooth_images, victim

CLIENTS, HELD = 5, 4


def attacked(clients: int = CLIENTS, bins: int = 64) -> Victim:
    """A victim with LOKI's module."""
    network = Network(architecture=Architecture.LOKI, width=bins, clients=clients, classes=10, size=32)
    return Victim(build_network(network, 0), network.inputs, network.label)


def varied() -> NDArray[np.uint8]:
    """The images of all clients, whose brightness differs as that of photographs does."""
    images = smooth_images(CLIENTS * HELD).astype(float)
    shift = np.random.default_rng(0).normal(0, 30, (len(images), 1, 1, 1))
    return np.clip((images - 127) * 0.6 + 127 + shift, 0, 255).astype(np.uint8)


def leaked(images: NDArray[np.uint8], found: NDArray[np.uint8]) -> float:
    """The share of images that one of the found ones shows at 30 dB or more."""
    return float(np.mean([max(psnr(mse(np.stack([image] * len(found)), found))) > 30 for image in images]))


@pytest.mark.parametrize("training", [None, LocalTraining(0.01, 2, epochs=2), LocalTraining(1e-4, 1)])
def test_an_aggregate_gives_images_away(training: LocalTraining | None) -> None:
    """Most images of five clients leak, from gradients as from weight deltas of several local steps."""
    images, labels = varied(), np.arange(CLIENTS * HELD) % 10
    result = loki(observe_round(attacked(), images, labels, Protocol(local_training=training), seed=0))
    assert result.images.shape == images.shape
    assert leaked(images, result.images) > 0.7
    assert result.status is Status.MATCHED
    assert result.labels == (-1,) * len(images)
    for client in range(CLIENTS):  # a client's images come at the client's place
        part = slice(client * HELD, (client + 1) * HELD)
        assert leaked(images[part], result.images[part]) > 0


def test_noise_is_not_taken_for_images() -> None:
    """Under differential privacy nothing is found, and nothing at all in a silent update."""
    images, labels = varied(), np.arange(CLIENTS * HELD) % 10
    noisy = observe_round(attacked(), images, labels, Protocol(defense=Defense("dp:1.0:1.0")), seed=0)
    assert loki(noisy).status is Status.NOTHING_FOUND
    zeros = {name: torch.zeros_like(value) for name, value in noisy.update.tensors.items()}
    silent = loki(replace(noisy, update=replace(noisy.update, tensors=zeros)))
    assert silent.status is Status.DIVERGED
    assert silent.explanation is None


def test_a_client_s_module_is_silent_for_all_others() -> None:
    """The gradient of a client touches only its columns."""
    model = attacked().model
    assert isinstance(model, ScaledImprint)
    images, labels = varied()[:HELD], np.arange(HELD)
    sent = replace(attacked(), model=model.sent_to(2))
    assert clients_behind(sent) == CLIENTS
    columns = observe(sent, images, labels, Protocol(), 0).update.tensors["imprint.weight"]
    lengths = columns.unflatten(1, (CLIENTS, -1)).norm(dim=(0, 2))
    assert [bool(length) for length in lengths] == [False, False, True, False, False]


def test_loki_refuses_what_it_cannot_work_on() -> None:
    """Another victim, images that clients cannot share, and a description that does not fit."""
    images, labels = varied(), np.arange(CLIENTS * HELD) % 10
    with pytest.raises(InvalidUpdate, match="expected images for 5 clients, as many for each, got 19"):
        observe_round(attacked(), images[:19], labels[:19], Protocol(), 0)
    with pytest.raises(InvalidUpdate, match="expected a victim with the module of LOKI for the attack loki, got lenet"):
        loki(observe_round(victim("lenet"), images[:1], labels[:1], Protocol(), 0))
    with pytest.raises(InvalidVictim, match="expected no number of clients for lenet, got 3"):
        build_network(Network(architecture=Architecture.LENET, clients=3, classes=10, size=32), 0)
