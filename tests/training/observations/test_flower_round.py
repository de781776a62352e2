"""A round of Flower's PyTorch tutorial, attacked by the command that docs/attacks.md gives."""

import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from semsim.commands.main import main
from semsim_training.victims.modules import module_from
from tests.conftest import ROOT
from tests.training.small import smooth_images

pytestmark = pytest.mark.slow

NETWORK = '''
"""Two convolutions with pooling and three fully connected layers, as in the tutorials of PyTorch and Flower."""

import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1, self.fc2, self.fc3 = nn.Linear(16 * 5 * 5, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv2(self.pool(F.relu(self.conv1(x))))))
        x = x.view(-1, 16 * 5 * 5)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))
'''


def command() -> list[str]:
    """The arguments of the guide's command, without its number of iterations."""
    text = (ROOT / "docs" / "attacks.md").read_text().replace("\\\n", " ")
    (line,) = re.findall(r"^    semsim (attack run --module net.py:Net .*)$", text, flags=re.MULTILINE)
    return shlex.split(line)


def test_two_local_epochs_of_adam_from_weights_before_and_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The arrays of ``get_weights`` before and after are all that the command needs; its images explain the update."""
    (tmp_path / "net.py").write_text(NETWORK)
    arguments = command()
    labels = torch.tensor([int(label) for label in arguments[arguments.index("--labels") + 1].split(",")])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = module_from(f"{tmp_path / 'net.py'}:Net")

    def get_weights() -> list[np.ndarray]:
        return [value.cpu().numpy().copy() for value in network.state_dict().values()]

    np.savez(tmp_path / "before.npz", *get_weights())
    images = torch.from_numpy(smooth_images(len(labels))).permute(0, 3, 1, 2) / 255
    optimiser, loss = torch.optim.Adam(network.parameters(), lr=0.001), nn.CrossEntropyLoss()
    for _ in range(2):
        for batch in torch.arange(len(labels)).split(4):
            optimiser.zero_grad()
            loss(network((images[batch] - 0.5) / 0.5), labels[batch]).backward()
            optimiser.step()
    np.savez(tmp_path / "after.npz", *get_weights())

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["semsim", *arguments, "--iterations", "40", "--json"])
    with pytest.raises(SystemExit) as end:
        main()
        raise SystemExit(0)
    result = json.loads(capsys.readouterr().out)
    assert end.value.code in (0, 4), result
    assert result["explained"]["share"] > 0.5
    assert len(list((tmp_path / "found").glob("*.png"))) == len(labels)
