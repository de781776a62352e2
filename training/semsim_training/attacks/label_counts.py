"""How many images of each class a client holds, from the gradient of its last layer."""

from dataclasses import dataclass

import torch
from scipy.optimize import nnls
from torch import Tensor

from semsim_training.attacks.label_presence import Presence

_ITERATIONS = 20
_FEW = 0.05
"""Images at which a class's mean features lie halfway between its own and those of false predictions."""
_EVEN_ODDS = 0.2
"""Odds of confidence at which both estimates weigh alike. Set, as the next two, on other clients than the published."""
_STEEPNESS = 4
_ABSENT = 20.0
"""Weight of the zeros of classes taken to be absent, at odds of one."""
_SUM = 100.0
"""Weight of the counts' sum, which is known."""


@dataclass(frozen=True, slots=True)
class LastLayer:
    """A fully connected layer and its gradients of the mean loss, in float64."""

    weight: Tensor
    """``(classes, features)``."""
    bias: Tensor
    """``(classes,)``."""
    weight_gradient: Tensor
    bias_gradient: Tensor
    non_negative: bool
    """Whether its inputs, the features, are never negative."""

    def predictions(self, features: Tensor) -> Tensor:
        """Probabilities ``(n, classes)`` of features ``(n, features)``."""
        return (features @ self.weight.T + self.bias).softmax(dim=1)


def naive_counts(bias_gradient: Tensor, images: int) -> Tensor:
    """The counts with uniform probabilities, ``(classes,)``: what :func:`class_counts` is compared with."""
    shares = (1 / len(bias_gradient) - bias_gradient).clamp_min(0)
    return _whole_numbers(shares, -bias_gradient, images)


def class_counts(layer: LastLayer, presence: Presence, images: int) -> Tensor:
    """The counts, ``(classes,)``, that sum to ``images``; at least one for each proven class.

    The bias's gradient of a class is its mean predicted probability minus its share of the labels: the counts follow
    from the sums of the probabilities, for which there are two estimates. A calibrated network predicts the classes
    of a client about equally often: equal sums, which is naive counting among the possible classes. Or the images of
    a class are alike: then the weight's gradient gives their mean features and the layer the probabilities (Ma et al.,
    Instance-wise Batch Label Restoration, ICLR 2023), here with false predictions taken out of each class's row, and
    repeated until counts and features agree. That is exact for an untrained network and wrong for a confident one,
    whose gradient comes from a few mistaken images: the more confident, the more the equal sums weigh.
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
    """Of each class's own images, ``(classes, features)``: its row holds false predictions less own images."""
    false_images = (counts + images * layer.bias_gradient).clamp_min(0)
    own = (false_images + _FEW)[:, None] * false_features - images * layer.weight_gradient
    features = own / (counts + _FEW)[:, None]
    return features.clamp_min(0) if layer.non_negative else features


def _false_features(layer: LastLayer, possible: Tensor) -> Tensor:
    """A first guess: the mean of absent classes' rows, which hold nothing else; of all rows if none is absent."""
    signs = layer.bias_gradient.sign() if possible.all() else (~possible).double()
    features = signs @ layer.weight_gradient / (signs @ layer.bias_gradient).clamp_min(1e-12)
    return features.expand_as(layer.weight_gradient)


def _even_counts(surplus: Tensor, presence: Presence, images: int) -> Tensor:
    """``surplus`` plus the same number for every possible class, ``(classes,)``, at least one for proven ones."""
    low = presence.proven.double()
    ordered = (surplus - low)[presence.possible].sort(descending=True).values
    offsets = (images - low.sum() - ordered.cumsum(dim=0)) / torch.arange(1, len(ordered) + 1)
    offset = offsets[ordered + offsets >= 0][-1]  # the projection on a simplex
    return torch.where(presence.possible, (surplus - low + offset).clamp_min(0) + low, 0.0)


def _solve(probabilities: Tensor, surplus: Tensor, even: Tensor, presence: Presence, odds: float) -> Tensor:
    """The counts that explain ``surplus`` by each class's ``probabilities``, tied to ``even`` ones by ``odds``."""
    low = presence.proven.double()
    ties = torch.where(presence.possible, (odds / _EVEN_ODDS) ** _STEEPNESS, _ABSENT * odds)
    system = torch.eye(len(low), dtype=torch.float64) - probabilities.T
    rows = torch.cat([system, torch.diag(ties), torch.full_like(low, _SUM)[None]])
    wanted = torch.cat([surplus, ties * even, _SUM * even.sum()[None]]) - rows @ low
    more, _ = nnls(rows.numpy(), wanted.numpy())
    return low + torch.from_numpy(more)


def _confidence_odds(layer: LastLayer) -> float:
    """How far predictions go with the image, where the network errs: 0 where all are alike, unbounded where certain."""
    bias = layer.bias_gradient
    predictions = layer.predictions(layer.weight_gradient / torch.where(bias.abs() > 1e-12, bias, 1e-12)[:, None])
    weights = bias.abs() / bias.abs().sum().clamp_min(1e-12)
    agreement = float(weights @ predictions.square().sum(dim=1))  # that two draws from a prediction agree
    by_chance = float((weights @ predictions).square().sum())
    return max(agreement - by_chance, 0.0) / max(1 - agreement, 1e-3)


def _whole_numbers(shares: Tensor, evidence: Tensor, images: int) -> Tensor:
    """Shares to counts that sum to ``images``: largest remainders, ties to the stronger evidence."""
    shares = shares / shares.sum().clamp_min(1e-12) * images
    counts = shares.floor()
    remaining = images - int(counts.sum())
    remainders = shares - counts + 1e-9 * evidence
    counts[remainders.topk(remaining).indices] += 1
    return counts.long()
