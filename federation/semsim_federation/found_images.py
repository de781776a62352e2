"""Everything that the attacks of one audit rebuilt, beside the client's images and the controls."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from semsim.chance import chance_of
from semsim.controls import Controls, Portraits
from semsim.images import decode
from semsim.pairs import PairFailure
from semsim.scorer import PairScore, Scorer
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
    """Each original beside the reconstruction that is most like it."""
    reconstructions: tuple[NDArray[np.uint8] | None, ...] = ()
    """The reconstruction that each of ``leakages`` is of, ``(H, W, C)``; None without one."""
    control_leakages: tuple[float, ...] = ()
    """The leakage of each control beside the reconstruction that is most like it; empty without reconstructions."""
    luck: float = 0.0
    """The bound on the probability that one of as many unrelated images is identified."""
    _portraits: Portraits = field(init=False)
    _rebuilt: list[NDArray[np.uint8]] = field(default_factory=list)
    _attacks: list[str] = field(default_factory=list)
    _found: list[Portraits] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._portraits = Portraits.of(self.scorer, [decode(image) for image in self.originals])
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

        An attack tells no order, so that of all attacks together the most alike counts for each original.
        """
        self._rebuilt.extend(reconstructions)
        self._attacks.extend([attack] * len(reconstructions))
        self._found.append(Portraits.of(self.scorer, [decode(image) for image in reconstructions]))
        together = Portraits.joined(self._found)
        likeness = self.controls.likeness(self._portraits, together)
        self.luck = likeness.luck
        scores = self.scorer.score_pairs(
            [(image, self._rebuilt[at]) for image, at in zip(self.originals, likeness.nearest, strict=True)]
        )
        leakages = [
            self._leakage(score, self._attacks[at], float(chance), bool(identified), bool(near))
            for score, at, chance, identified, near in zip(
                scores, likeness.nearest, likeness.chance, likeness.identified, self._near(together), strict=True
            )
        ]
        # A leak that one attack has shown is not taken back by another's images.
        kept = [old.leaked for old in self.leakages]
        self.leakages = tuple(
            old if keep else new for keep, old, new in zip(kept, self.leakages, leakages, strict=True)
        )
        self.reconstructions = tuple(
            old if keep else self._rebuilt[at]
            for keep, old, at in zip(kept, self.reconstructions, likeness.nearest, strict=True)
        )
        self.control_leakages = self._beside_controls(together)

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
