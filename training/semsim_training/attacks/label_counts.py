"""The number of images of each class that a client holds, from the gradient of the victim's last layer."""

from dataclasses import dataclass

import torch
from scipy.optimize import nnls
from torch import Tensor

from semsim_training.attacks.label_presence import Presence

_ITERATIONS = 20
_FEW = 0.05
"""The number of images at which a class's mean features lie halfway between its images' and those of false
predictions."""
_EVEN_ODDS = 0.2
"""The odds of confidence at which both estimates weigh alike. ``_EVEN_ODDS``, ``_STEEPNESS`` and ``_ABSENT`` were set
on other clients than the published figures are of."""
_STEEPNESS = 4
"""The power with which the weight of the equal sums grows with the odds of confidence."""
_ABSENT = 20.0
"""The weight of zero images of a class that is taken to be absent, at odds of one."""
_SUM = 100.0
"""The weight of the counts' sum, which is known."""


@dataclass(frozen=True, slots=True)
class LastLayer:
    """A fully connected layer and its gradients of the mean loss, in float64."""

    weight: Tensor
    """The layer's weight, ``(classes, features)``."""
    bias: Tensor
    """The layer's bias, ``(classes,)``."""
    weight_gradient: Tensor
    bias_gradient: Tensor
    non_negative: bool
    """True where the layer's inputs, the features, are never negative."""

    def predictions(self, features: Tensor) -> Tensor:
        """The probabilities ``(n, classes)`` that the layer gives to features ``(n, features)``."""
        return (features @ self.weight.T + self.bias).softmax(dim=1)


def naive_counts(bias_gradient: Tensor, images: int) -> Tensor:
    """The counts ``(classes,)`` as if all predictions were uniform: a baseline for :func:`class_counts`."""
    shares = (1 / len(bias_gradient) - bias_gradient).clamp_min(0)
    return _whole_numbers(shares, -bias_gradient, images)


def implied_bias_gradient(weight: Tensor, bias: Tensor, weight_gradient: Tensor) -> Tensor:
    """The gradient ``(classes,)`` that a bias would have, where only the weight's ``(classes, features)`` is sent.

    A class's row sums to its entry of the bias's gradient times the features' sum, if that sum is alike for all images.
    Classes without images tell it: their entries are the mean predictions, which the layer makes of the features. The
    features must not be negative.
    """
    sums = weight_gradient.sum(dim=1)
    absent = (weight_gradient >= -1e-6 * weight_gradient.abs().max()).all(dim=1) & (sums > 0)
    if not absent.any():
        absent = sums > 0
    direction = weight_gradient[absent].sum(dim=0).clamp_min(0)
    direction, seen = direction / direction.sum().clamp_min(1e-30), sums[absent].sum()
    total = seen * len(sums) / absent.sum()
    for _ in range(_ITERATIONS):
        predictions = (weight @ (total * direction) + bias).softmax(dim=0)
        total = (total + seen / predictions[absent].sum().clamp_min(1e-12)) / 2
    return sums / total


def class_counts(layer: LastLayer, presence: Presence, images: int) -> Tensor:
    """The counts, ``(classes,)``, that sum to ``images``; at least one for each proven class.

    The bias's gradient of a class is its mean predicted probability minus its share of the labels. So the counts follow
    from the sums of the probabilities, for which there are two estimates:

    * A calibrated network predicts the classes of a client about equally often. All sums are equal then, which is naive
      counting among the possible classes.
    * The images of a class are alike. Then the weight's gradient gives their mean features, and the layer gives the
      probabilities of those (Ma et al., Instance-wise Batch Label Restoration, ICLR 2023). Here false predictions are
      taken out of each class's row, and both steps are repeated until counts and features agree. This is exact for an
      untrained network and wrong for a confident one, whose gradient comes from a few mistaken images.

    The more confident the network, the more the equal sums weigh.
    """
    surplus, odds = -images * layer.bias_gradient, _confidence_odds(layer)
    even = _even_counts(surplus, presence, images)
    counts, false_features = even, _false_features(layer, presence.possible)
    for _ in range(_ITERATIONS):
        features = _mean_features(layer, counts, false_features, images)
        probabilities = layer.predictions(features)
        predicted = counts[:, None] * probabilities
        mixed = predicted.T @ features / predicted.sum(dim=0).clamp_min(1e-12)[:, None]
        false_features = torch.where(presence.possible[:, None], (false_features + mixed) / 2, false_features)
        counts = (counts + _solve(probabilities, surplus, even, presence, odds)) / 2
    proven = presence.proven.long()
    return _whole_numbers((counts - proven).clamp_min(0), surplus, images - int(proven.sum())) + proven


def _mean_features(layer: LastLayer, counts: Tensor, false_features: Tensor, images: int) -> Tensor:
    """The mean features of each class's images, ``(classes, features)``.

    A class's row of the weight's gradient is the features of false predictions minus those of the class's images.
    """
    false_images = (counts + images * layer.bias_gradient).clamp_min(0)
    sums = (false_images + _FEW)[:, None] * false_features - images * layer.weight_gradient
    features = sums / (counts + _FEW)[:, None]
    return features.clamp_min(0) if layer.non_negative else features


def _false_features(layer: LastLayer, possible: Tensor) -> Tensor:
    """A first guess at the features of false predictions, ``(classes, features)``.

    It is the mean of the absent classes' rows, which hold nothing else, or of all rows where no class is absent.
    """
    signs = layer.bias_gradient.sign() if possible.all() else (~possible).double()
    features = signs @ layer.weight_gradient / (signs @ layer.bias_gradient).clamp_min(1e-12)
    return features.expand_as(layer.weight_gradient)


def _even_counts(surplus: Tensor, presence: Presence, images: int) -> Tensor:
    """The counts of equal sums, ``(classes,)``: ``surplus`` plus one number for all possible classes.

    Proven classes get at least one image.
    """
    low = presence.proven.double()
    ordered = (surplus - low)[presence.possible].sort(descending=True).values
    offsets = (images - low.sum() - ordered.cumsum(dim=0)) / torch.arange(1, len(ordered) + 1)
    offset = offsets[ordered + offsets >= 0][-1]  # the projection on a simplex
    return torch.where(presence.possible, (surplus - low + offset).clamp_min(0) + low, 0.0)


def _solve(probabilities: Tensor, surplus: Tensor, even: Tensor, presence: Presence, odds: float) -> Tensor:
    """The counts, ``(classes,)``, that explain ``surplus`` by each class's ``probabilities``.

    The higher the ``odds`` of confidence, the closer they are tied to the ``even`` counts.
    """
    low = presence.proven.double()
    ties = torch.where(presence.possible, (odds / _EVEN_ODDS) ** _STEEPNESS, _ABSENT * odds)
    system = torch.eye(len(low), dtype=torch.float64) - probabilities.T
    rows = torch.cat([system, torch.diag(ties), torch.full_like(low, _SUM)[None]])
    wanted = torch.cat([surplus, ties * even, _SUM * even.sum()[None]]) - rows @ low
    more, _ = nnls(rows.numpy(), wanted.numpy())
    return low + torch.from_numpy(more)


def _confidence_odds(layer: LastLayer) -> float:
    """The odds of confidence of the network's mistaken predictions.

    They are 0 where all predictions are alike, and grow without bound where predictions are certain.
    """
    bias = layer.bias_gradient
    predictions = layer.predictions(layer.weight_gradient / torch.where(bias.abs() > 1e-12, bias, 1e-12)[:, None])
    weights = bias.abs() / bias.abs().sum().clamp_min(1e-12)
    agreement = float(weights @ predictions.square().sum(dim=1))  # two draws from a prediction
    by_chance = float((weights @ predictions).square().sum())
    return max(agreement - by_chance, 0.0) / max(1 - agreement, 1e-3)


def _whole_numbers(shares: Tensor, evidence: Tensor, images: int) -> Tensor:
    """Whole numbers, in proportion to ``shares``, that sum to ``images``.

    The largest remainders are rounded up; of equal remainders, those with the stronger evidence.
    """
    shares = shares / shares.sum().clamp_min(1e-12) * images
    counts = shares.floor()
    remaining = images - int(counts.sum())
    remainders = shares - counts + 1e-9 * evidence
    counts[remainders.topk(remaining).indices] += 1
    return counts.long()
