"""Observations from files, with the running statistics of a state dict."""

import copy
import logging
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from semsim.exceptions import InvalidUpdate
from semsim_training.client_images.network_inputs import Inputs
from semsim_training.client_images.normalisation import normalise
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.batch_statistics import batch_statistics
from semsim_training.observations.observation import Victim
from semsim_training.observations.taken_inputs import refuse_other_inputs
from semsim_training.observations.update_files import observation_of
from semsim_training.observations.update_kind import UpdateKind
from tests.training.small import smooth_images, victim

STEP = LocalTraining(0.1, 4)


@pytest.mark.parametrize("name", ["norm.running_mean", "table"])
def test_buffers_that_nobody_can_repeat_are_refused(name: str) -> None:
    """An instance normalisation's statistics and a buffer of the user's own are told by name; half precision is not."""

    class Tracking(nn.Sequential):
        """A network with statistics of instances and a table that no image moves."""

        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.InstanceNorm2d(3, affine=True, track_running_stats=True)
            self.flat = nn.Flatten()
            self.head = nn.Linear(3 * 256, 2)
            self.register_buffer("table", torch.tensor([0.1, -torch.inf]))

    model = Tracking().eval()
    attacked = Victim(model, Inputs(size=(16, 16), classes=2, mean=(0.5,) * 3, std=(0.5,) * 3, white=1))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    after = {key: value + 0.01 if value.requires_grad or "head" in key else value for key, value in before.items()}
    for kind, still in (
        (UpdateKind.AFTER, after | {"table": before["table"].half()}),
        (UpdateKind.DELTA, {key: after[key] - before[key] for key in after}),
    ):
        assert observation_of(attacked, still, kind, local_training=LocalTraining(0.1, 1)).images == 1
        moved = still | {name: still[name] + torch.full_like(still[name], 0.5)}
        with pytest.raises(InvalidUpdate, match=rf"expected buffers that training leaves alone.*got {name} moved"):
            observation_of(attacked, moved, kind, local_training=LocalTraining(0.1, 1))


def test_what_training_mode_computes_otherwise_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A network with an auxiliary head in training mode is told in the log; batch normalisation is not."""

    class TwoHeads(nn.Sequential):
        """A network that gives a second output in training mode."""

        def forward(self, x: torch.Tensor) -> object:
            """The logits, twice where the network trains."""
            logits = super().forward(x)
            return (logits, logits) if self.training else logits

    with caplog.at_level(logging.WARNING):
        refuse_other_inputs(victim("resnet20", 4, 16))
        assert not caplog.messages
        inputs = Inputs(size=(16, 16), classes=2, mean=(0.5,) * 3, std=(0.5,) * 3, white=1)
        refuse_other_inputs(Victim(TwoHeads(nn.Flatten(), nn.Linear(768, 2)), inputs, "two heads"))
    assert caplog.messages[0].startswith("two heads: In training mode the network gives more than its logits")


@pytest.mark.parametrize("kind", [UpdateKind.GRADIENT, UpdateKind.DELTA])
def test_tensors_come_in_the_order_of_the_model(kind: UpdateKind) -> None:
    """Files keep another order than the network's, which attacks of plug-ins may rely on."""
    attacked = victim("lenet", size=16)
    names = [name for name, _ in attacked.model.named_parameters()]
    sent = {name: torch.ones_like(attacked.model.get_parameter(name)) for name in sorted(names, reverse=True)}
    last = attacked.model.get_parameter(names[-1])
    sent[names[-1]] = torch.cat([torch.ones(len(last) - 1), torch.tensor([1.0 - len(last)])])
    training = None if kind is UpdateKind.GRADIENT else LocalTraining(0.1, 1)
    assert list(observation_of(attacked, sent, kind, local_training=training).update.tensors) == names


def test_a_state_dict_after_training_gives_the_batch_away(tmp_path: Path) -> None:
    """The state dict, or its difference from the one before, gives them; evaluation mode would contradict it."""
    attacked = victim("resnet20", 4, 16)
    pixels, model = normalise(smooth_images(4, 16), attacked.inputs), copy.deepcopy(attacked.model).train()
    F.cross_entropy(model(pixels), torch.arange(4)).backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    after, before = model.state_dict(), attacked.model.state_dict()
    torch.save(after, tmp_path / "after.pt")
    torch.save({name: after[name] - before[name] for name in after}, tmp_path / "delta.pt")
    torch.save({name: value for name, value in after.items() if "running" not in name}, tmp_path / "silent.pt")

    def read(name: str, kind: UpdateKind, batchnorm: str = "train") -> object:
        return observation_of(
            attacked,
            tmp_path / name,
            kind,
            images=4,
            local_training=STEP,
            batchnorm=batchnorm,  # type: ignore[arg-type]
        )

    entered = F.conv2d(pixels, attacked.model.conv1.weight, padding=1)
    for name, kind in (("after.pt", UpdateKind.AFTER), ("delta.pt", UpdateKind.DELTA)):
        first = batch_statistics(read(name, kind))[0]  # type: ignore[arg-type]
        assert torch.allclose(first.mean.float(), entered.mean((0, 2, 3)), atol=1e-5)
    assert not read("silent.pt", UpdateKind.AFTER).update.running_statistics  # type: ignore[attr-defined]
    with pytest.raises(InvalidUpdate, match=r"expected batch normalisation in training mode \(--batchnorm train\)"):
        read("after.pt", UpdateKind.AFTER, "eval")
