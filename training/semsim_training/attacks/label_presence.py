"""Which classes a client holds images of, from the gradient of its last layer."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaln
from torch import Tensor

_NOISE = 4.0
"""An entry is negative beyond this many standard deviations of the update's noise ..."""
_ROUNDING = 1e-6
"""... and this share of the largest entry, as gradients are float32."""
_ALL_CLASSES = 0.5
"""The prior probability that a client holds images of all classes; otherwise any number of them is as likely."""
_HALF = 0.5
"""False predictions, in images, behind which half as many classes hide as behind any number of them."""
_FALL = 0.05
"""The smallest entry of a row, in means of the feature times their spread, over which hidden classes get e times
rarer. This and ``_HALF`` are from training images of CIFAR-10 and Caltech-101."""


@dataclass(frozen=True, slots=True)
class Presence:
    """Which classes a client holds, ``(classes,)`` of bool each."""

    proven: Tensor
    """Certainly at least one image; no more classes than images."""
    possible: Tensor
    """The proven ones, and others that are more likely there than not; at least one."""

    @classmethod
    def unknown(cls, classes: int) -> Self:
        """Nothing is proven, all is possible."""
        return cls(torch.zeros(classes, dtype=torch.bool), torch.ones(classes, dtype=torch.bool))


def present_classes(weight: Tensor, bias: Tensor, images: int) -> Presence:
    """The classes behind gradients ``(classes, features)`` and ``(classes,)`` of a layer of non-negative features.

    A class without images has the row mean(p f), probabilities times features, where nothing is negative: an entry
    below zero proves an image (Yin et al., GradInversion, CVPR 2021). The converse fails, as enough false predictions
    hide an image. Bayes' rule over all sets of classes says how many hide: a set's prior is that of its size, and
    each hidden class pays for having gone without proof.
    """
    proven = _proven(weight, bias, images)
    if not proven.any() or int(proven.sum()) == images or proven.all():
        return Presence(proven, proven if proven.any() else ~proven)
    features = weight.abs().sum(dim=0) / bias.abs().sum().clamp_min(1e-12)
    rest = torch.nonzero(~proven).flatten()
    odds = _odds_of_hiding(weight[rest], bias[rest], features, images)
    hidden = _number_hidden(odds.numpy(), len(bias), images)
    return Presence(proven, proven.index_fill(0, rest[odds.topk(hidden).indices], value=True))


def _proven(weight: Tensor, bias: Tensor, images: int) -> Tensor:
    """Classes with a negative entry, the strongest where noise makes them more than images."""
    # The rows of a softmax's gradient sum to zero; what is left is a defense's noise.
    noise = float(weight.sum(dim=0).square().mean().sqrt()) / len(weight) ** 0.5
    proven: Tensor = (weight < -max(_NOISE * noise, _ROUNDING * float(weight.abs().max()))).any(dim=1)
    if int(proven.sum()) <= images:
        return proven
    strongest = torch.where(proven, -bias, -torch.inf).topk(images).indices
    return torch.zeros_like(proven).index_fill(0, strongest, value=True)


def _odds_of_hiding(weight: Tensor, bias: Tensor, features: Tensor, images: int) -> Tensor:
    """For rows without proof, how likely they are with an image of the class over without one, ``(rows,)``.

    An image needs false predictions to hide behind, and taking it away leaves the row with entries near zero; but
    where all features are alike, no row has any, so that distances are in units of their spread.
    """
    ratios = torch.where(features > 0, weight / (features * bias[:, None]).clamp_min(1e-30), 1.0)
    spread = (ratios - 1).square().mean().sqrt()
    smallest = ratios.min(dim=1).values.clamp_min(0)
    false_images = (images * bias).clamp_min(0)
    return 2 * false_images / (_HALF + false_images) * torch.exp(-smallest * spread / _FALL)


def _number_hidden(odds: NDArray[np.float64], classes: int, images: int) -> int:
    """The most likely number of hidden classes, given the odds of each that is not proven."""
    proven = classes - len(odds)
    hidden = np.arange(min(len(odds), images - proven) + 1)
    sets = np.poly(-odds)[: len(hidden)]  # symmetric polynomials: products of odds, summed over all sets of a size
    size = proven + hidden
    log_sets_of_size = gammaln(classes + 1) - gammaln(size + 1) - gammaln(classes - size + 1)
    with np.errstate(divide="ignore"):
        return int((np.log(_sizes(classes, images)[size]) - log_sets_of_size + np.log(sets)).argmax())


def _sizes(classes: int, images: int) -> NDArray[np.float64]:
    """The prior probability of each number of classes among the images, ``(classes + 1,)``."""
    held, seen = np.arange(1, classes + 1)[:, None], np.arange(classes + 1)[None]
    chances = np.zeros((classes, classes + 1))  # by how many classes the client holds, and how many were seen
    chances[:, 0] = 1
    for _ in range(images):
        new = chances * (held - seen).clip(0) / held
        chances *= seen / held
        chances[:, 1:] += new[:, :-1]
    sizes: NDArray[np.float64] = _ALL_CLASSES * chances[-1] + (1 - _ALL_CLASSES) * chances.mean(axis=0)
    return sizes
