"""Embeddings made of the features of several stages."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from semsim.exceptions import InvalidCheckpoint
from semsim_training.backbones import build_backbone
from semsim_training.levels import LevelFeatures, Levels

SMALL = "test_efficientnet"


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    """Two random images for a network."""
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def embedding(levels: Levels, pixels: torch.Tensor) -> tuple[LevelFeatures, torch.Tensor]:
    """A network of random weights in evaluation mode, and its embeddings."""
    torch.manual_seed(0)
    network = build_backbone(SMALL, levels=levels).eval()
    assert isinstance(network, LevelFeatures)
    return network, network(pixels)


def test_the_distance_is_that_of_lpips(pixels: torch.Tensor) -> None:
    """Without pooling, the squared L2 distance is the mean over stages of the mean over positions of LPIPS's terms."""
    network, embeddings = embedding(Levels(stages=(0, 2), side=64), pixels)
    terms = []
    for features in network.stages(pixels):
        unit = features / features.norm(dim=1, keepdim=True)
        terms.append((unit[0] - unit[1]).square().sum(0).mean())
    torch.testing.assert_close((embeddings[0] - embeddings[1]).square().sum(), torch.stack(terms).mean())


def test_pooled_positions_and_matrices_make_it_short(pixels: torch.Tensor) -> None:
    """Squares of positions become one, and a matrix takes the place of channel weights."""
    network, wide = embedding(Levels(stages=(0, 1), side=2), pixels)
    counts = [features.shape[1] for features in network.stages(pixels)]
    assert wide.shape == (2, 4 * sum(counts))
    _, narrow = embedding(Levels(stages=(0, 1), side=2, channels=4), pixels)
    assert narrow.shape == (2, 4 * 2 * 4)
    assert float(wide.norm(dim=1).max()) <= 1


def test_what_left_and_right_differ_by_gets_its_weight(pixels: torch.Tensor) -> None:
    """At 0 the features are those of either side; they and the rest, which is at right angles, make up all at 1."""
    of = {share: embedding(Levels(stages=(1,), side=4, mirrored=share), pixels)[1] for share in (0.0, 0.5, 1.0)}
    positions = of[0.0].view(2, -1, 4, 4)
    torch.testing.assert_close(positions, positions.flip(-1))
    odd = of[1.0] - of[0.0]
    assert float(odd.norm()) > 0.01
    torch.testing.assert_close(of[0.5], of[0.0] + odd / 2)
    torch.testing.assert_close(of[0.0].square().sum(1) + odd.square().sum(1), of[1.0].square().sum(1))


def test_what_positions_differ_by_gets_its_weight(pixels: torch.Tensor) -> None:
    """At 0 all positions have the mean of all; at 1 the features are as they were, and between it is in proportion."""
    of = {share: embedding(Levels(stages=(1,), side=4, places=share), pixels)[1] for share in (0.0, 0.5, 1.0)}
    means = of[1.0].view(2, -1, 16).mean(2, keepdim=True).expand(-1, -1, 16).flatten(1)
    torch.testing.assert_close(of[0.0], means)
    torch.testing.assert_close(of[0.5], (means + of[1.0]) / 2)


def test_a_network_in_half_precision_gives_numbers_for_a_plain_image() -> None:
    """Where all features of a position are 0, the length that they are divided by is not 0."""
    for levels in (Levels(stages=(0, 1), side=2), Levels(stages=(0, 1), side=2, channels=4)):
        network = build_backbone(SMALL, levels=levels).eval().half()
        with torch.no_grad():
            embeddings = network(torch.zeros(2, 3, 32, 32, dtype=torch.float16))
        assert embeddings.isfinite().all()


def test_weights_of_the_network_or_of_its_levels_are_read(pixels: torch.Tensor, tmp_path: Path) -> None:
    """A file of the whole network begins a training, and one of the levels gives the same embeddings again."""
    levels = Levels(stages=(0, 1), side=2, channels=4)
    whole = build_backbone(SMALL)
    save_file(whole.state_dict(), tmp_path / "whole.safetensors")
    torch.manual_seed(1)
    network = build_backbone(SMALL, tmp_path / "whole.safetensors", levels=levels).eval()
    save_file(network.state_dict(), tmp_path / "levels.safetensors")
    torch.manual_seed(2)
    again = build_backbone(SMALL, tmp_path / "levels.safetensors", levels=levels).eval()
    torch.testing.assert_close(network(pixels), again(pixels))


def test_what_has_no_such_stages_is_refused() -> None:
    """The error names the network, or the stages that there are."""
    with pytest.raises(InvalidCheckpoint, match="expected an EfficientNet of timm for levels, got ResNet"):
        build_backbone("test_resnet", levels=Levels(stages=(0,)))
    with pytest.raises(InvalidCheckpoint, match=r"expected stages 0 to \d, got \(0, 99\)"):
        build_backbone(SMALL, levels=Levels(stages=(0, 99)))
    with pytest.raises(InvalidCheckpoint, match="expected an EfficientNet of timm for levels, got Linear"):
        LevelFeatures(nn.Linear(1, 1), Levels(stages=(0,)))
