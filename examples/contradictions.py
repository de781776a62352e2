"""Pairs of reconstructions of one photograph which PSNR and SSIM order otherwise than those who looked at them.

The rule by which the picture of the README is chosen, laid down before anybody had judged; only that a difference of
the leakage must be plain to see (``LEAST_LEAKAGE``) came after the first drawing, which showed .42 against .42:

1. Two reconstructions of one photograph are compared where their recognised shares differ, each has the judgements of
   at least three annotators who know their gold items, and each has a leakage.
2. A contradiction is such a pair in which PSNR and SSIM are both lower for the one that more annotators recognised,
   while SemSim's leakage is higher for it. SemSim errs where its leakage is lower for it. Either difference of the
   leakage is at least ``LEAST_LEAKAGE``.
3. The largest come first: by the difference of the recognised shares; among equal ones by the smallest of the
   differences of PSNR, SSIM and the leakage (where SemSim errs: by that of the leakage), each as a multiple of its
   standard deviation over all reconstructions of the set; then by the names of the settings.
4. No class of photographs is shown twice, and no setting of the more recognised one among the contradictions, as far as
   there are others: the three largest contradictions that are left so, then the largest error of SemSim in a class that
   is left.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from semsim.images import RGBImage

LEAST_ANNOTATORS = 3
CONTRADICTIONS = 3
"""The number of contradictions in the picture, beside one error of SemSim."""
LEAST_LEAKAGE = 0.05
"""The least difference of two leakages that the picture calls one."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A reconstruction with its original, its values and what annotators said of it."""

    original: RGBImage
    image: str
    """The name of the original."""
    class_name: str
    setting: str
    reconstruction: RGBImage
    psnr: float
    ssim: float
    leakage: float | None
    """SemSim's leakage; ``None`` where the pair is uninformative."""
    recognised: int
    annotators: int

    @property
    def share(self) -> float:
        """The recognised share, 0..1."""
        return self.recognised / self.annotators


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two reconstructions of one original, of which annotators recognised the one more than the other."""

    recognised: Seen
    """The one that more of its annotators recognised."""
    other: Seen

    def gain(self, value: Callable[[Seen], float]) -> float:
        """How much higher a value is for the one that more annotators recognised."""
        return value(self.recognised) - value(self.other)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The contrasts that the picture shows."""

    contradictions: tuple[Contrast, ...]
    error: Contrast | None
    """The largest error of SemSim in a class that no contradiction shows; ``None`` where there is none."""


def leakage(seen: Seen) -> float:
    """The leakage of a reconstruction that has one."""
    assert seen.leakage is not None  # noqa: S101 - contrasts() takes no other
    return seen.leakage


VALUES: dict[str, Callable[[Seen], float]] = {
    "PSNR": lambda one: one.psnr,
    "SSIM": lambda one: one.ssim,
    "SemSim": leakage,
}
"""Each metric by its name, higher = more leakage."""


def contrasts(seen: Iterable[Seen]) -> list[Contrast]:
    """All pairs that are compared, see the rule's first point."""
    counted = [one for one in seen if one.annotators >= LEAST_ANNOTATORS and one.leakage is not None]
    return [
        Contrast(*sorted((one, two), key=lambda either: -either.share))
        for one, two in combinations(counted, 2)
        if one.image == two.image and one.share != two.share
    ]


def choose(seen: Sequence[Seen]) -> Chosen:
    """The contrasts that the rule gives; fewer contradictions where fewer classes have one."""
    compared = contrasts(seen)
    spread = {
        name: float(np.std([value(one) for one in seen if one.leakage is not None])) for name, value in VALUES.items()
    }
    contradicting = [
        pair
        for pair in compared
        if pair.gain(VALUES["PSNR"]) < 0 and pair.gain(VALUES["SSIM"]) < 0 and pair.gain(leakage) >= LEAST_LEAKAGE
    ]
    contradictions: list[Contrast] = []
    largest = _largest_first(contradicting, tuple(VALUES), spread)
    for of_another_setting in (True, False):
        for pair in largest:
            classes = {one.recognised.class_name for one in contradictions}
            settings = {one.recognised.setting for one in contradictions if of_another_setting}
            if pair.recognised.class_name not in classes and pair.recognised.setting not in settings:
                contradictions.append(pair)
    shown = contradictions[:CONTRADICTIONS]
    classes = {one.recognised.class_name for one in shown}
    erring = [
        pair for pair in compared if pair.gain(leakage) <= -LEAST_LEAKAGE and pair.recognised.class_name not in classes
    ]
    errors = _largest_first(erring, ("SemSim",), spread)
    return Chosen(tuple(shown), errors[0] if errors else None)


def agreement(compared: Sequence[Contrast]) -> dict[str, float]:
    """The share of pairs that each metric orders as the annotators do, by its name; a tie counts half."""
    return {
        name: float(np.mean([(np.sign(pair.gain(value)) + 1) / 2 for pair in compared]))
        for name, value in VALUES.items()
    }


def _largest_first(pairs: Iterable[Contrast], names: Sequence[str], spread: dict[str, float]) -> list[Contrast]:
    """The pairs in the order of the rule's third point, by the metrics of these names."""

    def order(pair: Contrast) -> tuple[float, float, str, str]:
        margin = min(abs(pair.gain(VALUES[name])) / spread[name] for name in names)
        return -pair.gain(lambda one: one.share), -margin, pair.recognised.setting, pair.other.setting

    return sorted(pairs, key=order)
