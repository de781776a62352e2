"""Training of the embedding."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from semsim.exceptions import InvalidCheckpoint
from semsim_training import fitting
from semsim_training.metric.embedding_distances import majority_auc, measure
from semsim_training.metric.metric_recipe import PAPER
from semsim_training.metric.metric_training import build_embedding_network, rate, train_metric
from tests.conftest import ROOT
from tests.training.metric.small import judged, recipe, with_recognised

pytestmark = pytest.mark.slow

SET = judged()
LEVELS = {"architecture": "test_efficientnet", "levels": {"stages": (0, 1), "side": 2}}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"anchors": "any", "loss": "soft", "graded": True, "frozen_statistics": True},
        {"sampling": "triplets", "augmentation": "crop", "optimiser": "sgd", "schedule": "steps", "batch": 8},
        {"sampling": "triplets", "mining": "semi-hard", "bfloat16": True},
        {**LEVELS, "light": 0.6, "tether": 1e-3},
        {**LEVELS, "learned": "levels", "bfloat16": True},
    ],
    ids=["plain", "quadruplets", "paper", "mined", "levels", "weights of levels"],
)
def test_recipes_train(tmp_path: Path, changed: dict[str, object]) -> None:
    """Every kind of recipe runs, logs a line an epoch and leaves no state behind."""
    network = train_metric(SET, SET, recipe(**changed), 0, tmp_path / "log.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert all(np.isfinite(line["loss"]) and 0 <= line["validation_auc"] <= 1 for line in lines)
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]
    assert not network.training


def test_weights_of_levels_are_learned_alone(tmp_path: Path) -> None:
    """The network itself keeps its weights and its statistics."""
    chosen = recipe(**LEVELS, learned="levels")
    before = build_embedding_network(chosen, 0).state_dict()
    after = train_metric(SET, None, chosen, 0, tmp_path / "log.jsonl").state_dict()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed == ["backbone.weights.0", "backbone.weights.1"]


def test_without_levels_their_weights_cannot_be_learned() -> None:
    """A recipe that would learn nothing is refused before a training."""
    with pytest.raises(ValueError, match="expected levels, whose weights alone are learned, got none"):
        recipe(learned="levels")


def test_a_tether_holds_what_is_learned_near_its_beginning(tmp_path: Path) -> None:
    """The stronger the tether, the less all parameters move."""
    moved = []
    for number, tether in enumerate((0.0, 200.0)):
        chosen = recipe(**LEVELS, tether=tether, weight_decay=0.0, optimiser="sgd")
        before = build_embedding_network(chosen, 0)
        after = train_metric(SET, None, chosen, 0, tmp_path / f"{number}.jsonl")
        pairs = zip(before.parameters(), after.parameters(), strict=True)
        moved.append(sum(float((one - other).square().sum()) for one, other in pairs))
    assert moved[1] < moved[0] / 2


def test_training_learns_to_order(tmp_path: Path) -> None:
    """After training, images that it has not seen are ordered by their noise, nearly right and better than before."""
    other = judged(seed=1)
    chosen = recipe(epochs=12, anchors="any", loss="soft", margin=0.5, learning_rate=3e-3)
    before = build_embedding_network(chosen, 0)
    after = train_metric(SET, None, chosen, 0, tmp_path / "log.jsonl")
    first, last = (majority_auc(other.judged, measure(network, other)) for network in (before, after))
    assert last > max(first, 0.9)


def test_an_interrupted_training_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights and log after an interruption are those of a run without one."""
    whole = train_metric(SET, SET, recipe(), 0, tmp_path / "whole.jsonl")
    save = fitting.save_training_state

    def stop(*arguments: object) -> None:
        save(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "save_training_state", stop)
    with pytest.raises(KeyboardInterrupt):
        train_metric(SET, SET, recipe(), 0, tmp_path / "cut.jsonl")
    monkeypatch.undo()
    resumed = train_metric(SET, SET, recipe(), 0, tmp_path / "cut.jsonl")
    assert (tmp_path / "cut.jsonl").read_text() == (tmp_path / "whole.jsonl").read_text()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_the_papers_network_and_schedule() -> None:
    """ResNet-18 with a 3x3 stem gives 512 features of unit length; the rate falls at 3/8, 5/8 and 7/8."""
    network = build_embedding_network(PAPER, 0).eval()
    embeddings = network(torch.zeros((2, 32, 32, 3), dtype=torch.uint8))
    assert embeddings.shape == (2, 512)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))
    assert sum(parameter.numel() for parameter in network.parameters()) == 11_168_832
    rates = [rate(PAPER, epoch) for epoch in (0, 37, 38, 63, 88)]
    np.testing.assert_allclose(rates, [0.05, 0.05, 0.005, 0.0005, 0.00005])


def test_distances_of_equal_images_are_zero_and_batches_do_not_matter() -> None:
    """The distances are the same however many images are embedded at once."""
    network = build_embedding_network(recipe(), 0).eval()
    np.testing.assert_allclose(measure(network, SET, batch_size=5), measure(network, SET), atol=1e-6)
    same = replace(SET, reconstructions=SET.originals[SET.original_of])
    np.testing.assert_allclose(measure(network, same), 0, atol=1e-6)


def test_a_batch_without_recognised_reconstructions_trains(tmp_path: Path) -> None:
    """Where no reconstruction of a batch was recognised by the majority, none is blurred."""
    recognised = np.where(SET.original_of == 0, SET.judged.recognised, 0)
    recognised[SET.original_of > 0] = SET.judged.recognised[SET.original_of > 0] == 3
    few = with_recognised(SET, recognised)
    train_metric(few, None, recipe(batch=1, blur=1.0, epochs=1), 0, tmp_path / "log.jsonl")
    assert np.isfinite(json.loads((tmp_path / "log.jsonl").read_text())["loss"])


def test_no_such_backbone_or_weights(tmp_path: Path) -> None:
    """The error names the architecture or the file."""
    with pytest.raises(InvalidCheckpoint, match="or a timm architecture, got resnet1"):
        build_embedding_network(recipe(architecture="resnet1"), 0)
    with pytest.raises(InvalidCheckpoint, match="expected a safetensors file at"):
        build_embedding_network(recipe(pretrained=tmp_path / "none.safetensors"), 0)


def test_processes_that_torchrun_starts_train_together(tmp_path: Path) -> None:
    """Two processes end with the same weights, and write one log."""
    program = tmp_path / "train.py"
    program.write_text(TOGETHER)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, str(program), str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (torch.load(tmp_path / f"{number}.pt", weights_only=True) for number in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


TOGETHER = """
import sys
from pathlib import Path
import torch
from semsim_training.distributed import rank, together
from semsim_training.metric.metric_training import train_metric
from tests.training.metric.small import judged, recipe

out = Path(sys.argv[1])
with together("cpu"):
    network = train_metric(judged(), None, recipe(frozen_statistics=True), 0, out / "log.jsonl")
    torch.save(network.state_dict(), out / f"{rank()}.pt")
"""
"""The program of each process."""
