"""The classes that a client holds images of, from the gradient of the victim's last layer."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaln
from torch import Tensor

_NOISE = 4.0
"""The number of standard deviations of the update's noise within which a negative entry proves nothing."""
_ROUNDING = 1e-6
"""The share of the largest entry within which a negative entry proves nothing, because gradients are float32."""
_ALL_CLASSES = 0.5
"""The prior probability that a client holds images of all classes. All numbers of classes share the rest evenly."""
_HALF = 0.5
"""The number of false predictions, in images, behind which half as many classes hide as behind unboundedly many.
``_HALF`` and ``_FALL`` were measured on training images of CIFAR-10 and Caltech-101."""
_FALL = 0.05
"""The distance of a row's smallest entry from zero, in means of the feature times their spread, over which hidden
classes get e times rarer."""


@dataclass(frozen=True, slots=True)
class Presence:
    """The classes that a client holds, as two masks ``(classes,)`` of bool."""

    proven: Tensor
    """True for classes with certainly at least one image; for no more classes than the client holds images."""
    possible: Tensor
    """True for the proven classes and for those that are more likely there than not; for at least one class."""

    @classmethod
    def unknown(cls, classes: int) -> Self:
        """The presence of which nothing is known: no class is proven, and all are possible."""
        return cls(torch.zeros(classes, dtype=torch.bool), torch.ones(classes, dtype=torch.bool))


def present_classes(weight: Tensor, bias: Tensor, images: int) -> Presence:
    """The classes behind gradients ``(classes, features)`` and ``(classes,)`` of a layer of non-negative features.

    The row of a class without images is mean(p f), probabilities times features, and holds nothing negative. So an
    entry below zero proves an image (Yin et al., GradInversion, CVPR 2021). The converse fails, because enough false
    predictions hide an image. Bayes' rule over all sets of classes says how many classes hide: a set's prior is that
    of its size, and each hidden class pays for having gone without proof.
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
    """True for classes with a negative entry. Where noise makes them more than the images, the strongest count."""
    # The rows of a softmax's gradient sum to zero; what is left is a defense's noise.
    noise = float(weight.sum(dim=0).square().mean().sqrt()) / len(weight) ** 0.5
    proven: Tensor = (weight < -max(_NOISE * noise, _ROUNDING * float(weight.abs().max()))).any(dim=1)
    if int(proven.sum()) <= images:
        return proven
    strongest = torch.where(proven, -bias, -torch.inf).topk(images).indices
    return torch.zeros_like(proven).index_fill(0, strongest, value=True)


def _odds_of_hiding(weight: Tensor, bias: Tensor, features: Tensor, images: int) -> Tensor:
    """The odds, ``(rows,)``, that a row without proof comes from a class with an image and not from one without.

    An image needs false predictions to hide behind, and taking it away leaves the row with entries near zero. Where
    all features are alike no row has such entries, so distances from zero are in units of the features' spread.
    """
    ratios = torch.where(features > 0, weight / (features * bias[:, None]).clamp_min(1e-30), 1.0)
    spread = (ratios - 1).square().mean().sqrt()
    smallest = ratios.min(dim=1).values.clamp_min(0)
    false_images = (images * bias).clamp_min(0)
    return 2 * false_images / (_HALF + false_images) * torch.exp(-smallest * spread / _FALL)


def _number_hidden(odds: NDArray[np.float64], classes: int, images: int) -> int:
    """The most likely number of hidden classes, given the ``odds`` of each class that is not proven."""
    proven = classes - len(odds)
    hidden = np.arange(min(len(odds), images - proven) + 1)
    sets = np.poly(-odds)[: len(hidden)]  # symmetric polynomials: products of odds, summed over all sets of a size
    size = proven + hidden
    log_sets_of_size = gammaln(classes + 1) - gammaln(size + 1) - gammaln(classes - size + 1)
    with np.errstate(divide="ignore"):
        return int((np.log(_sizes(classes, images)[size]) - log_sets_of_size + np.log(sets)).argmax())


def _sizes(classes: int, images: int) -> NDArray[np.float64]:
    """The prior probability, ``(classes + 1,)``, that the client's images are of so many classes."""
    held, seen = np.arange(1, classes + 1)[:, None], np.arange(classes + 1)[None]
    chances = np.zeros((classes, classes + 1))  # by how many classes the client holds, and how many were seen
    chances[:, 0] = 1
    for _ in range(images):
        new = chances * (held - seen).clip(0) / held
        chances *= seen / held
        chances[:, 1:] += new[:, :-1]
    sizes: NDArray[np.float64] = _ALL_CLASSES * chances[-1] + (1 - _ALL_CLASSES) * chances.mean(axis=0)
    return sizes
