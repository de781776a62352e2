"""Public images beside which a likeness must stand out.

The best of many reconstructions is near to any image by luck: among 16 unrelated images of CIFAR-10 one nearly always
passes for a leak. Controls are public images of the same kind as the originals. Each control looks for its own nearest
reconstruction, as each original does, so that an original has no advantage over them: its chance is a p-value whatever
the number of reconstructions (Vovk et al., "Algorithmic Learning in a Random World", 2005; Phipson and Smyth, 2010).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from semsim.chance import FEWEST_CONTROLS, chance_of
from semsim.exceptions import InvalidConfiguration
from semsim.images import RGBImage, resize_batch
from semsim.scorer import Scorer

LUCKY = 0.015
"""The share of batches of unrelated images of which one may be identified."""
_COPY_EDGES, _COPY_DISTANCE = 0.95, 0.15
"""The least correlation of edges of a copy of an image, such as one in another format, and its largest distance as a
share of the embedding's length."""
_SIDE = 16
"""The height and width in pixels at which edges are compared."""
_ROWS = 256
"""Controls that are compared at once with all that come before them."""
_WEIGHT = 0.5
"""The weight of the distance beside the correlation of edges; semsim_training.control_report measures the rule."""


@dataclass(frozen=True, slots=True, eq=False)
class Portraits:
    """The parts of N images by which they are compared."""

    embeddings: NDArray[np.float64]
    """The embeddings of the metric, ``(N, D)``."""
    edges: NDArray[np.float64]
    """The differences between neighbouring pixels of a small grey copy, ``(N, E)``, each row of length 1, or 0 where
    the image is plain."""

    @classmethod
    def of(cls, scorer: Scorer, images: Sequence[RGBImage]) -> Self:
        """The portraits of images, uint8 ``(H, W, 3)`` of any sizes."""
        grey = resize_batch(images, _SIDE, _SIDE).mean(axis=3)
        across, down = np.diff(grey, axis=2)[:, :-1], np.diff(grey, axis=1)[:, :, :-1]
        edges = np.concatenate([across.reshape(len(grey), -1), down.reshape(len(grey), -1)], axis=1)
        lengths = np.linalg.norm(edges, axis=1, keepdims=True)
        return cls(scorer.embed(images).astype(np.float64), edges / np.maximum(lengths, 1e-9))

    def __post_init__(self) -> None:
        if not np.isfinite(self.embeddings).all():
            raise InvalidConfiguration("expected a model whose embeddings are finite, got NaN or infinity")

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The portraits of several lists of images, one after the other."""
        embeddings, edges = zip(*((part.embeddings, part.edges) for part in parts), strict=True)
        return cls(np.concatenate(embeddings), np.concatenate(edges))

    def __len__(self) -> int:
        return len(self.embeddings)

    def take(self, rows: NDArray[np.intp]) -> Self:
        """The portraits of some of the images, ``(M,)``."""
        return type(self)(self.embeddings[rows], self.edges[rows])

    def copies(self, others: Self) -> NDArray[np.bool_]:
        """True ``(N, M)`` where an image and another one are copies."""
        limits = _COPY_DISTANCE * np.linalg.norm(self.embeddings, axis=1, keepdims=True)
        return np.asarray((self.edges @ others.edges.T >= _COPY_EDGES) & (self.distances(others) <= limits))

    def likeness(self, others: Self) -> NDArray[np.float64]:
        """The likeness ``(N, M)`` to M other images: the correlation of edges less half of the distance.

        An attack puts edges where they were, which the metric does not ask for; the distance counts where it did not.
        """
        return self.edges @ others.edges.T - _WEIGHT * self.distances(others)

    def distances(self, others: Self) -> NDArray[np.float64]:
        """The SemSim distances ``(N, M)`` from M other images."""
        squares = [(part.embeddings**2).sum(axis=1) for part in (self, others)]
        products = self.embeddings @ others.embeddings.T
        return np.asarray(np.sqrt(np.maximum(squares[0][:, None] + squares[1] - 2 * products, 0.0)))


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """The reconstruction that is most like each of N originals, and the chance of such a likeness."""

    nearest: NDArray[np.intp]
    """Its index, ``(N,)``."""
    chance: NDArray[np.float64]
    """The share of controls, this original counted with them, that are as like to a reconstruction, ``(N,)``."""
    identified: NDArray[np.bool_]
    """True ``(N,)`` where the chance is at most ``LUCKY / N``, or as low as the number of controls allows."""
    luck: float
    """The bound on the probability that N unrelated images have one that is identified."""


@dataclass(frozen=True, slots=True, eq=False)
class Controls:
    """The portraits of K public images.

    Raises:
        InvalidConfiguration: there are fewer than 100, or their embeddings are not finite.
    """

    portraits: Portraits
    graph_sha256: str | None = None
    """The hash of the graph that embedded them; None where nobody said it. Embeddings of two cannot be compared."""

    def __post_init__(self) -> None:
        if len(self.portraits) < FEWEST_CONTROLS:
            raise InvalidConfiguration(
                f"expected at least {FEWEST_CONTROLS} different controls, public images of the kind of the originals, "
                f"got {len(self.portraits)}"
            )

    @classmethod
    def of(cls, scorer: Scorer, images: Iterable[RGBImage]) -> Self:
        """The controls of public images, uint8 ``(H, W, 3)``; copies of one image count once.

        Beside images that are all alike anything else would be identified.

        Raises:
            InvalidConfiguration: there are fewer than 100 different images.
        """
        unequal = list({(image.shape, image.tobytes()): image for image in images}.values())
        if len(unequal) < FEWEST_CONTROLS:
            raise InvalidConfiguration(f"expected at least {FEWEST_CONTROLS} different controls, got {len(unequal)}")
        portraits = Portraits.of(scorer, unequal)
        return cls(portraits.take(_different(portraits)), scorer.manifest.graph.sha256)

    def require_model(self, scorer: Scorer) -> None:
        """Refuse a scorer whose embeddings cannot be compared with those of the controls.

        Raises:
            InvalidConfiguration: another graph embedded the controls, or their embeddings have another length.
        """
        manifest = scorer.manifest
        if self.graph_sha256 not in (None, manifest.graph.sha256):
            raise InvalidConfiguration(
                f"expected controls embedded by {manifest.name} {manifest.version} ({manifest.graph.sha256[:12]}), got "
                f"those of another model ({str(self.graph_sha256)[:12]})"
            )
        dimension = self.portraits.embeddings.shape[1]
        if dimension != manifest.embedding.dimension:
            raise InvalidConfiguration(
                f"expected controls with embeddings of {manifest.embedding.dimension} numbers, got {dimension}"
            )

    def __len__(self) -> int:
        return len(self.portraits)

    def without(self, originals: Portraits) -> Self:
        """The controls that are no copies of the originals: a copy would be as like to each reconstruction of one.

        Raises:
            InvalidConfiguration: fewer than 100 are left.
        """
        copies = self.portraits.copies(originals).any(axis=1)
        if not copies.any():
            return self
        return type(self)(self.portraits.take(np.flatnonzero(~copies)), self.graph_sha256)

    def likeness(self, originals: Portraits, reconstructions: Portraits) -> Likeness:
        """Find each original's most alike reconstruction, and how many controls find one that is as like to them.

        Bonferroni's correction is for the number of originals; that of reconstructions needs none. 1,100 controls or
        more allow for 16 originals. With fewer, an original is identified where no control is as like, and ``luck``
        says how often that happens by luck: at most N / (K + 1).
        """
        likeness = originals.likeness(reconstructions)
        best = likeness.max(axis=1)
        lucky = np.sort(self.portraits.likeness(reconstructions).max(axis=1))
        as_like = len(lucky) - np.searchsorted(lucky, best, side="left")
        chance, finest = chance_of(as_like, len(lucky)), float(chance_of(0, len(lucky)))
        limit = max(LUCKY / len(originals), finest)
        luck = min(1.0, len(originals) * limit)
        return Likeness(likeness.argmax(axis=1), chance, chance <= limit * (1 + 1e-9), luck)


def _different(portraits: Portraits) -> NDArray[np.intp]:
    """The rows of images that are no copies of an earlier one."""
    kept = np.ones(len(portraits), dtype=np.bool_)
    for start in range(0, len(portraits), _ROWS):
        rows = portraits.take(np.arange(start, min(start + _ROWS, len(portraits))))
        earlier = rows.copies(portraits.take(np.arange(start + len(rows))))
        kept[start : start + len(rows)] = ~np.tril(earlier, start - 1).any(axis=1)
    return np.flatnonzero(kept)
