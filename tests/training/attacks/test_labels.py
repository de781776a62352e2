"""Labels that are inferred from updates."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from semsim.exceptions import InvalidUpdate
from semsim_training.attacks.label_counts import LastLayer, class_counts, naive_counts
from semsim_training.attacks.label_presence import Presence, present_classes
from semsim_training.attacks.labels import count_labels, infer_labels, last_layer_gradient, require_labels
from semsim_training.attacks.victim_head import victim_head
from semsim_training.client_images.network_inputs import Inputs
from semsim_training.defenses.defense import Defense
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.client_side import Protocol, observe
from semsim_training.observations.observation import Victim
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Architecture, Network
from tests.training.small import observations, smooth_images, victim

CLASSES, FEATURES = 10, 48


def batch(seed: int, images: int, classes: int, scale: float) -> tuple[LastLayer, torch.Tensor]:
    """The last layer and its gradients for a client of ``classes`` classes, and its counts; ``scale`` is confidence."""
    rng = torch.Generator().manual_seed(seed)
    means = torch.rand(CLASSES, FEATURES, generator=rng).double().square()
    labels = torch.randint(classes, (images,), generator=rng)
    features = means[labels] * torch.rand(images, FEATURES, generator=rng).double().log().neg()
    weight, bias = scale * (means - means.mean(dim=0)), torch.zeros(CLASSES).double()
    residuals = (features @ weight.T + bias).softmax(dim=1) - torch.eye(CLASSES).double()[labels]
    gradients = (residuals.T @ features / images, residuals.mean(dim=0))
    return LastLayer(weight, bias, *gradients, non_negative=True), torch.bincount(labels, minlength=CLASSES)


@pytest.mark.parametrize("architecture", ["lenet", "resnet20", "vit"])
def test_the_label_of_one_image_is_certain(architecture: str) -> None:
    """The rule of iDLG finds every label, from gradients and from weight deltas of one step."""
    attacked = victim(architecture)
    for protocol in (Protocol(), Protocol(local_training=LocalTraining(0.01, 1))):
        for observation in observations(attacked, 6, protocol=protocol):
            assert infer_labels(observation) == observation.labels


def test_counts_beat_naive_ones_on_a_confident_network() -> None:
    """More labels are counted right than by naive counting where predictions are far from uniform."""
    attacked = victim("lenet")
    with torch.no_grad():
        attacked.model.get_parameter("classifier.weight").mul_(0.3)
        attacked.model.get_parameter("classifier.bias").copy_(torch.linspace(-1.5, 1.5, 10))
    right = {"ours": 0, "naive": 0}
    rng = np.random.default_rng(0)
    for seed in range(10):
        labels = np.sort(rng.integers(0, 10, 16))
        observation = observe(attacked, smooth_images(16, seed=seed), labels, Protocol(reveal_labels=False), seed)
        _, bias = last_layer_gradient(observation)
        truth = torch.bincount(torch.from_numpy(labels), minlength=10)
        counts = {"ours": count_labels(observation), "naive": naive_counts(bias, 16)}
        for name, counted in counts.items():
            assert int(counted.sum()) == 16
            right[name] += int(torch.minimum(counted, truth).sum())
    assert right["ours"] > right["naive"]
    assert right["ours"] >= 0.9 * 160


@pytest.mark.parametrize(("architecture", "width"), [("lenet", None), ("convnet", 8), ("resnet20", 16), ("vit", 32)])
def test_several_local_steps_give_the_labels_of_an_untrained_victim_away(architecture: str, width: int | None) -> None:
    """All labels are found from the weight delta of four steps, where weights are those of a new network."""
    network = Network(architecture=Architecture(architecture), width=width, classes=10, size=32)
    labels = np.array([0] * 7 + [3] * 5 + [4] * 3 + [9])
    protocol = Protocol(local_training=LocalTraining(1e-4, 4), reveal_labels=False)
    observation = observe(
        Victim(build_network(network, 0), network.inputs), smooth_images(16), labels, protocol, seed=0
    )
    assert infer_labels(observation) == tuple(labels)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 40), st.integers(1, CLASSES), st.sampled_from([0.0, 0.3, 1.0, 3.0]))
def test_counts_sum_to_the_images_and_keep_what_is_proven(seed: int, images: int, classes: int, scale: float) -> None:
    """Only classes with images are proven, and those are never given zero, whatever the network."""
    layer, truth = batch(seed, images, classes, scale)
    presence = present_classes(layer.weight_gradient, layer.bias_gradient, images)
    assert not (presence.proven & (truth == 0)).any()
    assert (presence.possible | ~presence.proven).all()
    for known in (presence, Presence.unknown(CLASSES)):
        counts = class_counts(layer, known, images)
        assert int(counts.sum()) == images
        assert (counts >= known.proven.long()).all()


def test_counts_of_confident_networks_are_those_of_few_classes_where_few_are() -> None:
    """Clients of three classes of ten give a tenth of all labels more away than to naive counting."""
    right = naive = 0
    for seed in range(20):
        layer, truth = batch(seed, 32, 3, scale=1.0)
        presence = present_classes(layer.weight_gradient, layer.bias_gradient, 32)
        right += int(torch.minimum(class_counts(layer, presence, 32), truth).sum())
        naive += int(torch.minimum(naive_counts(layer.bias_gradient, 32), truth).sum())
    assert right > naive + 0.1 * 20 * 32


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.permutations(range(CLASSES)))
def test_the_order_of_classes_does_not_matter(seed: int, order: list[int]) -> None:
    """Counts of permuted classes are the permuted counts."""
    layer, _ = batch(seed, 24, 6, scale=1.0)
    tensors = (layer.weight, layer.bias, layer.weight_gradient, layer.bias_gradient)
    weight, bias, weight_gradient, bias_gradient = (tensor[order] for tensor in tensors)
    permuted = LastLayer(weight, bias, weight_gradient, bias_gradient, non_negative=True)
    presence = present_classes(layer.weight_gradient, layer.bias_gradient, 24)
    other = present_classes(permuted.weight_gradient, permuted.bias_gradient, 24)
    assert torch.equal(class_counts(layer, presence, 24)[order], class_counts(permuted, other, 24))


def test_noise_proves_no_class() -> None:
    """Negative entries of a defense's noise prove no class, and counts still sum."""
    attacked, labels = victim("resnet20"), np.array([1, 1, 1, 1, 5, 5, 5, 8])
    protocol = Protocol(defense=Defense("gaussian:1e-2"), reveal_labels=False)
    for seed in range(5):
        observation = observe(attacked, smooth_images(8), labels, protocol, seed)
        presence = present_classes(*last_layer_gradient(observation), 8)
        assert not set(torch.nonzero(presence.proven).flatten().tolist()) - {1, 5, 8}
        assert len(infer_labels(observation)) == 8


class OddlyEnded(nn.Module):
    """A network whose last layer in the code is not the one that makes the logits."""

    def __init__(self, end: str) -> None:
        super().__init__()
        self.fully, self.convolved = nn.Linear(16, 10), nn.Conv2d(16, 10, 1)
        self.unbiased = nn.Linear(16, 10, bias=False)
        self.features = nn.Conv2d(3, 16, 5, stride=4)
        self.unused = nn.Linear(7, 10)
        self.end = end

    def forward(self, x: Tensor) -> object:
        """The logits of images ``(N, 3, H, W)``, among other outputs or in odd ways."""
        maps = torch.relu(self.features(x))
        pooled = maps.mean(dim=(2, 3))
        match self.end:
            case "heads":
                return {"coarse": self.unbiased(pooled), "logits": self.fully(pooled)}
            case "log-softmax":
                return self.fully(pooled).log_softmax(dim=1)
            case "convolution":
                return self.convolved(maps).mean(dim=(2, 3))
            case "tokens":
                return self.fully(maps.flatten(2).transpose(1, 2)).mean(dim=1)
            case "unbiased":
                return self.unbiased(pooled)
            case "unbiased, signed":
                return self.unbiased(pooled - 1)
        return self.fully(pooled) * 2


def oddly_ended(end: str) -> Victim:
    """A victim of that end."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Victim(OddlyEnded(end), Inputs(size=32, classes=10, mean=127.5, std=63.75))


@pytest.mark.parametrize(
    ("end", "layer"),
    [
        ("heads", "fully"), ("log-softmax", "fully"), ("convolution", "convolved"), ("tokens", "fully"),
        ("unbiased", "unbiased"),
    ],
)  # fmt: skip
def test_the_layer_that_makes_the_logits_tells_the_labels(end: str, layer: str) -> None:
    """Among several heads and unused ones, as a convolution, averaged over tokens and without a bias."""
    attacked = oddly_ended(end)
    assert victim_head(attacked).name == layer
    for protocol in (Protocol(), Protocol(local_training=LocalTraining(0.01, 1, momentum=0.9, weight_decay=0.1))):
        for observation in observations(attacked, 6, protocol=protocol):
            assert infer_labels(observation) == observation.labels
    labels = np.array([0] * 7 + [3] * 5 + [4] * 3 + [9])
    observation = observe(attacked, smooth_images(16), labels, Protocol(reveal_labels=False), seed=0)
    assert infer_labels(observation) == tuple(labels)


@pytest.mark.parametrize("architecture", ["lenet", "convnet", "vit"])
def test_without_a_bias(architecture: str) -> None:
    """One label needs none; several need features that are never negative, and four of five are then right."""
    attacked = victim(architecture, None if architecture == "lenet" else 32)
    head = victim_head(attacked)
    head.layer.bias = None
    for observation in observations(attacked, 3):
        assert infer_labels(observation) == observation.labels
    rng = np.random.default_rng(0)
    right = 0
    for seed in range(5):
        labels = np.sort(rng.integers(0, 10, 16))
        observation = observe(attacked, smooth_images(16, seed=seed), labels, Protocol(reveal_labels=False), seed)
        if not head.non_negative:
            with pytest.raises(InvalidUpdate, match="or features before it that are never negative"):
                infer_labels(observation)
            return
        right += int(
            torch.minimum(count_labels(observation), torch.bincount(torch.from_numpy(labels), minlength=10)).sum()
        )
    assert right >= 0.8 * 80


def test_says_what_to_give_where_labels_cannot_be_inferred() -> None:
    """Logits that no layer makes, a frozen head, signed features without a bias, and the counts behind Adam."""
    (scaled,) = observations(oddly_ended("scaled"), 1)
    with pytest.raises(InvalidUpdate, match="got another end of a network: give the labels"):
        require_labels(scaled)
    (several,) = observations(oddly_ended("unbiased, signed"), 1, 2)
    with pytest.raises(InvalidUpdate, match="expected a bias in the victim's last layer unbiased"):
        require_labels(several)
    frozen = oddly_ended("heads")
    frozen.model.get_submodule("fully").requires_grad_(False)
    with pytest.raises(InvalidUpdate, match="expected a client that trains fully"):
        require_labels(observations(frozen, 1)[0])
    adam = Protocol(local_training=LocalTraining(0.001, 2, optimiser="adam"))
    (one,) = observations(victim("lenet"), 1, protocol=adam)
    assert infer_labels(one) == one.labels
    (several,) = observations(victim("lenet"), 1, 4, adam)
    with pytest.raises(InvalidUpdate, match="expected the labels of 4 images after adam"):
        require_labels(replace(several, labels=None))
