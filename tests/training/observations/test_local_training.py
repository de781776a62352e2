"""Local training as clients run it, by ``torch.optim``, and as attacks repeat it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from semsim.exceptions import InvalidUpdate
from semsim_training.client_images.network_inputs import Inputs
from semsim_training.client_images.normalisation import normalise
from semsim_training.gradients.local_steps import LocalStepDeltas
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.batch_statistics import batch_statistics
from semsim_training.observations.client_side import Protocol, observe
from semsim_training.observations.observation import Observation, Victim
from tests.training.small import smooth_images

IMAGES = 8
PLAIN = LocalTraining(0.05, IMAGES)
TWO_EPOCHS = LocalTraining(0.05, 3, epochs=2)
TRAININGS = {
    "one step": PLAIN,
    "short last batch": TWO_EPOCHS,
    "batch above the images": LocalTraining(0.05, 9, epochs=3),
    "momentum": replace(TWO_EPOCHS, momentum=0.9),
    "nesterov": replace(TWO_EPOCHS, momentum=0.9, nesterov=True, weight_decay=0.01),
    "weight decay": replace(TWO_EPOCHS, weight_decay=0.1),
    "clipping": replace(TWO_EPOCHS, clip_norm=0.05),
    "adam": replace(TWO_EPOCHS, learning_rate=1e-3, optimiser="adam"),
    "adam with everything": replace(
        TWO_EPOCHS, optimiser="adam", weight_decay=0.1, betas=(0.5, 0.9), epsilon=1e-4, clip_norm=0.1
    ),
    "adamw": replace(TWO_EPOCHS, learning_rate=1e-2, optimiser="adamw", weight_decay=0.1),
    "schedule": replace(TWO_EPOCHS, momentum=0.9, schedule=(1.0, 0.5, 0.25, 2.0, 0.0, 1.0)),
    "order": replace(TWO_EPOCHS, order=((4, 2, 7, 0, 6, 1, 5, 3), tuple(range(8)))),
}


class SmallNetwork(nn.Module):
    """A greyscale network for images that are not square: batch normalisation, a frozen layer and an unused one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.frozen = nn.Conv2d(4, 4, 3).requires_grad_(False)
        self.hidden = nn.Linear(4, 6, bias=False)
        self.flat_norm = nn.BatchNorm1d(6)
        self.head = nn.Linear(6, 5)
        self.unused = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        """The logits of images ``(N, 1, H, W)``."""
        x = self.frozen(torch.tanh(self.norm(self.first(x)))).mean(dim=(2, 3))
        return self.head(torch.sigmoid(self.flat_norm(self.hidden(x))))


@pytest.fixture(scope="module")
def attacked() -> Victim:
    """The small network in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = SmallNetwork().double().eval()
    return Victim(model, Inputs(size=(16, 24), channels=1, classes=5, mean=127.5, std=63.75))


def client(attacked: Victim, training: LocalTraining, batchnorm: str = "eval", count: int = IMAGES) -> Observation:
    """The observation of a client with ``count`` greyscale images."""
    images = smooth_images(count, 24)[:, :16, :, :1]
    protocol = Protocol(training, batchnorm=batchnorm, send_statistics=batchnorm == "train")  # type: ignore[arg-type]
    return observe(attacked, images, np.arange(count) % 5, protocol, seed=0)


def simulated(
    attacked: Victim, training: LocalTraining, batchnorm: str, path: str = "vmap"
) -> tuple[LocalStepDeltas, dict[str, Tensor]]:
    """The delta of the same client as attacks compute it, beside another client's."""
    steps = LocalStepDeltas(
        attacked.model, IMAGES, training, train_batchnorm=batchnorm == "train", vectorised=path == "vmap"
    )
    images = smooth_images(IMAGES, 24)[:, :16, :, :1]
    pixels = normalise(np.concatenate([images, 255 - images]), attacked.inputs, torch.float64).requires_grad_()
    terms = steps(pixels, torch.arange(2 * IMAGES) % 5)
    (by_pixels,) = torch.autograd.grad(sum(term.dense().square().sum() for term in terms), pixels)
    assert torch.isfinite(by_pixels).all()
    assert by_pixels.abs().flatten(1).sum(dim=1).all()
    return steps, {name: term.dense()[0] for name, term in zip(steps.names, terms, strict=True)}


@pytest.mark.parametrize("batchnorm", ["eval", "train"])
@pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS.keys())
def test_attacks_repeat_what_torch_optim_does(attacked: Victim, training: LocalTraining, batchnorm: str) -> None:
    """Deltas agree to 1e-9 for every optimiser and option; frozen layers are absent, unused ones do not move."""
    sent = client(attacked, training, batchnorm)
    _, deltas = simulated(attacked, training, batchnorm)
    assert list(deltas) == list(sent.update.tensors)
    assert not any("frozen" in name for name in deltas)
    assert not sent.update.tensors["unused.weight"].any()
    for name, value in sent.update.tensors.items():
        assert value.dtype == torch.float64
        assert torch.allclose(deltas[name].reshape(value.shape), value, rtol=1e-9, atol=1e-12), name


@pytest.mark.parametrize("training", [PLAIN, TWO_EPOCHS], ids=["one step", "short last batch"])
def test_statistics_of_one_and_two_dimensions(attacked: Victim, training: LocalTraining) -> None:
    """The statistics that clients send are those that the simulation has, of normalised vectors as of maps."""
    sent = batch_statistics(client(attacked, training, "train"))
    steps, _ = simulated(attacked, training, "train")
    assert len(sent) == len(steps.statistics()) == 2
    for recovered, made in zip(sent, steps.statistics(), strict=True):
        assert torch.allclose(made.mean[0], recovered.mean, rtol=1e-9)
        # Unbiased variances of batches of three and two images are told apart by no attacker.
        assert torch.allclose(made.variance[0], recovered.variance, rtol=1e-9 if training is PLAIN else 0.2)


@pytest.mark.parametrize("path", ["vmap", "loop"])
def test_the_loop_does_what_vmap_does(attacked: Victim, path: str) -> None:
    """Both paths give the deltas of the client."""
    training = TRAININGS["adam with everything"]
    sent = client(attacked, training)
    steps, deltas = simulated(attacked, training, "eval", path)
    assert steps.path == path
    for name, value in sent.update.tensors.items():
        assert torch.allclose(deltas[name].reshape(value.shape), value, rtol=1e-9, atol=1e-12), name


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.1}, {"clip_norm": 100.0},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "schedule": (0.5,)},
    ],
)  # fmt: skip
def test_one_step_of_sgd_is_a_gradient(attacked: Victim, changes: dict[str, Any]) -> None:
    """The delta gives the gradient, whatever momentum and decay do to it."""
    expected = observe_gradient(attacked)
    seen = client(attacked, replace(PLAIN, **changes))
    gradient = seen.gradient
    assert gradient is not None
    for name, value in expected.items():
        assert torch.allclose(gradient[name], value, rtol=1e-9, atol=1e-12), name


def observe_gradient(attacked: Victim) -> dict[str, Tensor]:
    """The gradient of the same client."""
    images = smooth_images(IMAGES, 24)[:, :16, :, :1]
    return dict(observe(attacked, images, np.arange(IMAGES) % 5, Protocol(), seed=0).update.tensors)


def test_a_clipped_step_gives_the_direction_alone(attacked: Victim) -> None:
    """Closed forms need no more; the objective does, and gets the delta. Several steps and Adam give neither."""
    seen = client(attacked, replace(PLAIN, clip_norm=1e-3))
    assert seen.gradient is None
    assert seen.target is seen.update.tensors
    direction, expected = seen.direction, observe_gradient(attacked)
    assert direction is not None
    for name, value in expected.items():
        factor = float(direction[name].norm() / value.norm()) if value.any() else 0.0
        assert factor < 1
        assert torch.allclose(direction[name], factor * value, rtol=1e-9, atol=1e-12)
    for training in (TWO_EPOCHS, replace(PLAIN, optimiser="adam"), replace(PLAIN, schedule=(0.0,))):
        assert Observation(seen.victim, replace(seen.update, local_training=training), IMAGES).direction is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimiser": "rmsprop"}, "expected the optimiser sgd, adam or adamw, got rmsprop"),
        ({"learning_rate": float("nan")}, "expected a positive learning rate"),
        ({"momentum": 1.0}, "expected a momentum of 0 to 1"),
        ({"momentum": 0.9, "optimiser": "adam"}, "expected no momentum for adam, whose betas say it"),
        ({"nesterov": True}, "expected a momentum for Nesterov's momentum, got none"),
        ({"betas": (0.9, 1.0)}, "expected betas of 0 to 1"),
        ({"clip_norm": 0.0}, "expected a norm > 0 to clip to, got 0.0"),
        ({"schedule": (1.0, -1.0)}, "expected factors >= 0 of the learning rate"),
    ],
)
def test_refuses_what_it_cannot_repeat(changes: dict[str, Any], message: str) -> None:
    """Unknown optimisers, numbers out of range, and options of another optimiser."""
    with pytest.raises(InvalidUpdate, match=message):
        replace(PLAIN, **changes)
    with pytest.raises(TypeError, match="unexpected keyword argument 'dampening'"):
        LocalTraining(0.1, 1, dampening=0.1)  # type: ignore[call-arg]


def test_refuses_a_schedule_or_an_order_of_other_images(attacked: Victim) -> None:
    """They are of the client's steps, epochs and images."""
    for training, message in (
        (replace(TWO_EPOCHS, schedule=(1.0,)), "expected a schedule of 6 steps, got 1 factors"),
        (replace(TWO_EPOCHS, order=(tuple(range(8)),)), "expected an order for each of 2 epochs, got 1"),
        (replace(PLAIN, order=((0,) * 8,)), "expected each of 8 images once in the order of an epoch"),
    ):
        with pytest.raises(InvalidUpdate, match=message):
            client(attacked, training)
