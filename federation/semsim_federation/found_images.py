"""Everything that the attacks of one audit rebuilt, beside the client's images and the controls."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from semsim.chance import chance_of
from semsim.controls import Controls, Likeness, Portraits
from semsim.images import RGBImage, decode
from semsim.pairs import PairFailure
from semsim.scorer import PairScore, Scorer
from semsim.uninformative import SmallCopies, Uninformative, moves_of
from semsim_federation.leakage_report import ImageLeakage

_UNSURE = 0.05
"""The chance up to which a recognizable image that is not identified is no mere luck."""


@dataclass(slots=True, eq=False)
class FoundImages:
    """The reconstructions of one client's images, which grow with each attack."""

    scorer: Scorer
    controls: Controls
    threshold: float | None
    originals: NDArray[np.uint8]
    """The client's images, ``(N, H, W, C)``."""
    leakages: tuple[ImageLeakage, ...] = ()
    """Each original beside the reconstruction that is most like it, or that shows it reordered or moved."""
    reconstructions: tuple[NDArray[np.uint8] | None, ...] = ()
    """The reconstruction that each of ``leakages`` is of, ``(H, W, C)``; None without one."""
    control_leakages: tuple[float, ...] = ()
    """The leakage of each control beside the reconstruction that is most like it; empty without reconstructions."""
    luck: float = 0.0
    """The bound on the probability that one of as many unrelated images is identified."""
    _portraits: Portraits = field(init=False)
    _copies: SmallCopies = field(init=False)
    _altered: NDArray[np.intp] = field(init=False)
    """The first reconstruction that shows each original reordered or moved, ``(N,)``; -1 without one."""
    _rebuilt: list[NDArray[np.uint8]] = field(default_factory=list)
    _attacks: list[str] = field(default_factory=list)
    _found: list[Portraits] = field(default_factory=list)

    def __post_init__(self) -> None:
        images = [decode(image) for image in self.originals]
        self._portraits, self._copies = Portraits.of(self.scorer, images), self._small(images, layouts=False)
        self._altered = np.full(len(images), -1)
        self.controls = self.controls.without(self._portraits)
        self.leakages = (ImageLeakage(None, None, None, False, False, None, None, ""),) * len(self.originals)
        self.reconstructions = (None,) * len(self.originals)

    @property
    def all_leaked(self) -> bool:
        """True where there is nothing left to find."""
        return all(image.leaked for image in self.leakages)

    @property
    def doubts(self) -> tuple[str, ...]:
        """The reasons why images that did not leak cannot be said not to be shown."""
        untold = sum(image.recognizable is None for image in self.leakages)
        unsure = sum(image.unsure for image in self.leakages)
        reasons = {f"nothing could be told of {untold} of the images": untold} | {
            f"{unsure} of the images are recognizable, though some public images are as like": unsure
        }
        return tuple(reason for reason, count in reasons.items() if count)

    def add(self, attack: str, reconstructions: NDArray[np.uint8]) -> None:
        """Add an attack's reconstructions, uint8 ``(M, H, W, C)``.

        An attack tells no order, so that of all attacks together the most alike counts for each original. But the model
        finds little likeness in a copy that is reordered or moved, so that every reconstruction is looked at for that:
        where any shows an original so, and none leaks it, nothing can be told of it.
        """
        images = [decode(image) for image in reconstructions]
        self._found.append(Portraits.of(self.scorer, images))
        self._look_for_altered(images)
        self._rebuilt.extend(reconstructions)
        self._attacks.extend([attack] * len(reconstructions))
        together = Portraits.joined(self._found)
        likeness = self.controls.likeness(self._portraits, together)
        self.luck = likeness.luck
        leakages, beside = self._judged(likeness, self._near(together))
        # A leak that one attack has shown is not taken back by another's images.
        kept = [old.leaked for old in self.leakages]
        self.leakages = tuple(
            old if keep else new for keep, old, new in zip(kept, self.leakages, leakages, strict=True)
        )
        self.reconstructions = tuple(
            old if keep else self._rebuilt[at] for keep, old, at in zip(kept, self.reconstructions, beside, strict=True)
        )
        self.control_leakages = self._beside_controls(together)

    def _small(self, images: Sequence[RGBImage], *, layouts: bool = True) -> SmallCopies:
        spec = self.scorer.manifest.input
        return SmallCopies.of(images, spec.height, spec.width, spec.filter, layouts=layouts)

    def _look_for_altered(self, images: Sequence[RGBImage]) -> None:
        """Compare every original with every one of an attack's reconstructions, whose portraits are the last."""
        distances = self._portraits.distances(self._found[-1])
        altered = self._copies.altered(self._small(images), distances, moves_of(len(images)))
        self._note_altered(np.asarray(altered.any(axis=1)), len(self._rebuilt) + altered.argmax(axis=1))

    def _note_altered(self, is_altered: NDArray[np.bool_], by: NDArray[np.intp]) -> None:
        """Keep the first reconstruction ``(N,)`` that shows each original altered."""
        self._altered = np.where((self._altered < 0) & is_altered, by, self._altered)

    def _judged(self, likeness: Likeness, near: NDArray[np.bool_]) -> tuple[list[ImageLeakage], NDArray[np.intp]]:
        """The leakage of each original, and the reconstruction ``(N,)`` that it is of: the most alike or an altered.

        A doubt that an altered one has left is not taken back, but by a leak.
        """
        beside = likeness.nearest.copy()
        scores = self._scores(np.arange(len(beside)), beside)
        self._note_altered(np.array([_is_altered(score) for score in scores]), beside)
        told = list(zip(likeness.chance.tolist(), likeness.identified.tolist(), near.tolist(), strict=True))
        leakages = [
            self._leakage(score, self._attacks[at], *others)
            for score, at, others in zip(scores, beside, told, strict=True)
        ]
        settled = np.array([image.leaked or image.unsure for image in leakages])
        doubtful = np.flatnonzero((self._altered >= 0) & ~settled)
        beside[doubtful] = self._altered[doubtful]
        for i, score in zip(doubtful, self._scores(doubtful, beside[doubtful]), strict=True):
            leakage = self._leakage(score, self._attacks[beside[i]], *told[i])
            leakages[i] = replace(leakage, leakage=None, recognizable=None, leaked=False)
        return leakages, beside

    def _scores(self, originals: NDArray[np.intp], beside: NDArray[np.intp]) -> list[PairScore | PairFailure]:
        """The scores of some originals and of as many reconstructions, by their indices."""
        return self.scorer.score_pairs(
            [(self.originals[i], self._rebuilt[at]) for i, at in zip(originals, beside, strict=True)]
        )

    def _beside_controls(self, reconstructions: Portraits) -> tuple[float, ...]:
        """The leakages of the controls, each of which takes its most alike reconstruction as an original does."""
        portraits = self.controls.portraits
        nearest = portraits.likeness(reconstructions).argmax(axis=1)
        leakages = self.scorer.leakage(portraits.distances(reconstructions)[np.arange(len(portraits)), nearest])
        return () if leakages is None else tuple(float(leakage) for leakage in leakages)

    def _near(self, reconstructions: Portraits) -> NDArray[np.bool_]:
        """True ``(N,)`` for an original that is recognizable by its distance, which hardly any control's is as low as.

        An attack may move or mirror an image, so that its edges are elsewhere, and its likeness no more than others'.
        """
        distances = self._portraits.distances(reconstructions).min(axis=1)
        others = np.sort(self.controls.portraits.distances(reconstructions).min(axis=1))
        chance = chance_of(np.searchsorted(others, distances, side="right"), len(others))
        leakages = self.scorer.leakage(distances)
        if leakages is None or self.threshold is None:
            return np.zeros(len(distances), dtype=np.bool_)
        return np.asarray((leakages >= self.threshold) & (chance <= _UNSURE))

    def _leakage(
        self, score: PairScore | PairFailure, attack: str, chance: float, identified: bool, near: bool
    ) -> ImageLeakage:
        if isinstance(score, PairFailure):
            return ImageLeakage(None, None, chance, identified, False, None, None, attack, near)
        leakage = score.leakage
        recognizable = None if leakage is None or self.threshold is None else leakage >= self.threshold
        leaked = bool(recognizable) and identified
        unsure = not leaked and (near or (bool(recognizable) and chance <= _UNSURE))
        return ImageLeakage(
            leakage, recognizable, chance, identified, leaked, score.distance, score.psnr, attack, unsure
        )


def _is_altered(score: PairScore | PairFailure) -> bool:
    altered = Uninformative.REORDERED, Uninformative.MOVED
    return isinstance(score, PairScore) and score.uninformative in altered
