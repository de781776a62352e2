"""Local training as clients run it, by ``torch.optim``, and as attacks repeat it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from semsim_training.client_images.network_inputs import Inputs
from semsim_training.client_images.normalisation import normalise
from semsim_training.gradients.local_steps import LocalStepDeltas
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.client import Protocol, observe
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
