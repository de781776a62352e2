"""The result of an attack, and what the attack says of itself."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Status(StrEnum):
    """The end of an attack, by the share of the update that its images explain.

    None of them says that a client is safe.
    """

    MATCHED = "matched"
    """The images explain the update."""
    PARTLY = "partly"
    """The images explain more of the update than random images do, and leave much of it unexplained."""
    NOTHING_FOUND = "nothing_found"
    """The images explain no more of the update than random images do. This says nothing about the client's safety."""
    DIVERGED = "diverged"
    """No image came out: every start left the finite numbers, or the layer that a closed form reads says nothing."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The part of an update that images explain, beside the parts that images of no worth explain.

    The share is ``1 - |s g - g*|^2 / |g*|^2`` for the observed update ``g*`` and the update ``g`` that the images make
    with their labels: 1 for equal updates, 0 for no update at all, negative where the images make it worse. The scale
    ``s`` is 1, except where images explain the direction of an update and not its length, as that of a clipped one.
    """

    share: float
    cosine: float
    """The cosine between both updates, in [-1, 1]."""
    zero: float
    """The share that images explain whose normalised pixels are all zero, at their own best scale where ``scale`` is
    not 1."""
    random: float
    """The largest share that random images explain, at their own best scale where ``scale`` is not 1."""
    scale: float = 1.0
    """The factor that the images' update is multiplied by before it is compared."""
    contradicted: bool = False
    """True where the training that is declared cannot have made the update: no share of it means anything then."""
    hint: str = ""
    """The mistake that the numbers suggest, in a sentence; empty where they suggest none."""

    @property
    def worthless(self) -> float:
        """The largest share that images of no worth explain, at least 0; NaN does not count."""
        return max(0.0, self.zero, self.random)  # of a number and a NaN behind it, max takes the number

    @property
    def gain(self) -> float:
        """The part explained of what images of no worth leave unexplained: 1 for all, 0 or less for nothing."""
        return (self.share - self.worthless) / max(1 - self.worthless, 1e-9)


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction:
    """The result of an attack on one observation."""

    images: NDArray[np.uint8]
    """The reconstructed images, ``(images, H, W, C)``. They are worth nothing where the attack diverged."""
    status: Status
    objective: float
    """The objective of the winning start, without priors; 0 for a closed form, NaN where it diverged."""
    labels: tuple[int, ...]
    """The labels that were known, inferred or searched for; -1 where an attack says nothing of an image's label."""
    explanation: Explanation | None
    """The part of the update that the images explain; ``None`` where the attack diverged."""
    path: str
    """The way in which gradients were computed: ``shared weights``, ``vmap``, ``loop`` or ``closed form``."""
    iterations: int = 0
    """The iterations that a search did, with its retries: fewer than planned where its time was over, or where a match
    needed no retry; 0 for a closed form."""
