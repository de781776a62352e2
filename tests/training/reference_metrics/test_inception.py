"""Inception-v3's features, by torchvision's network and by what sets that of TensorFlow apart."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.inception import Inception3

from semsim.exceptions import InvalidCheckpoint
from semsim_training.reference_metrics.inception import InceptionFeatures, InceptionWeights


@pytest.fixture(scope="module")
def network() -> Inception3:
    """Torchvision's network with random weights."""
    torch.manual_seed(0)
    return Inception3(aux_logits=False, init_weights=False).eval()


def state_of(network: Inception3, classes: int) -> dict[str, Tensor]:
    """The state dict of the network with so many classes."""
    return network.state_dict() | {"fc.weight": torch.zeros(classes, 2048), "fc.bias": torch.zeros(classes)}


@torch.inference_mode()
def test_features_are_those_before_the_last_layer(network: Inception3, tmp_path: Path) -> None:
    """The features are what torchvision's network gives its last layer, of levels in -1..1."""
    torch.save(network.state_dict(), tmp_path / "inception.pth")
    features = InceptionFeatures.read(tmp_path / "inception.pth")
    assert features.weights is InceptionWeights.TORCHVISION
    images = torch.randint(0, 256, (2, 107, 107, 3), dtype=torch.uint8)
    given: list[Tensor] = []
    hook = network.fc.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    network((images.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5)
    hook.remove()
    assert features(images).shape == (2, 2048)
    assert torch.allclose(features(images), given[0], atol=1e-5)


@torch.inference_mode()
def test_the_poolings_of_tensorflow(network: Inception3) -> None:
    """With 1008 classes, means leave the padding out in three kinds of blocks, and the last block takes the maximum."""
    tensorflow = InceptionFeatures(state_of(network, 1008))
    assert tensorflow.weights is InceptionWeights.TENSORFLOW
    inside = functional.avg_pool2d(torch.ones(1, 1, 6, 6), 3, 1, 1)
    for name, channels in (("Mixed_5b", 192), ("Mixed_6c", 768), ("Mixed_7b", 1280), ("Mixed_7c", 2048)):
        ours, theirs = getattr(tensorflow.network, name), getattr(network, name)
        maps = torch.rand(1, channels, 6, 6)
        pooled = functional.avg_pool2d(maps, 3, 1, 1) / inside  # the sum over the pixels that are there
        if name == "Mixed_7c":
            pooled = functional.max_pool2d(maps, 3, 1, 1)
        expected = torch.cat([*theirs._forward(maps)[:-1], theirs.branch_pool(pooled)], dim=1)
        assert torch.allclose(ours(maps), expected, atol=1e-5), name
        assert not torch.allclose(ours(maps), theirs(maps), atol=1e-5), name


def test_other_weights_are_refused(network: Inception3, tmp_path: Path) -> None:
    """A file of no state dict, another number of classes, and a layer too few or of another shape are refused."""
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(InvalidCheckpoint):
        InceptionFeatures.read(tmp_path / "text.pth")
    with pytest.raises(InvalidCheckpoint, match=r"fc\.bias has one of 1000, 1008 classes, got 10"):
        InceptionFeatures(state_of(network, 10))
    with pytest.raises(InvalidCheckpoint, match="got none"):
        InceptionFeatures(nn.Linear(2, 2).state_dict())
    missing = state_of(network, 1000)
    missing.pop("Mixed_7c.branch1x1.conv.weight")
    with pytest.raises(InvalidCheckpoint, match=r"Mixed_7c\.branch1x1\.conv\.weight"):
        InceptionFeatures(missing)
