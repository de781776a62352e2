"""Real images and degraded copies of them, all distinct, with the distances that the library gives them."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.serving.threads import ONE_THREAD
from semsim import Scorer
from semsim.bulk.matching import find_images
from semsim.images import decode, resize_batch
from semsim_export.parity_pairs import degraded_pairs

_SMALL = 32


@dataclass(frozen=True, slots=True)
class Pairs:
    """N pairs of one size."""

    originals: NDArray[np.uint8]
    """``(N, H, W, 3)``, no two equal."""
    reconstructions: NDArray[np.uint8]
    """The same shape."""
    distances: NDArray[np.float64]
    """``(N,)``, of the bundled model."""

    def save(self, file: Path) -> None:
        """Write them where another process can read them."""
        np.savez(file, originals=self.originals, reconstructions=self.reconstructions, distances=self.distances)

    @classmethod
    def load(cls, file: Path) -> "Pairs":
        """Read what :meth:`save` wrote."""
        with np.load(file) as arrays:
            return cls(arrays["originals"], arrays["reconstructions"], arrays["distances"])

    def encoded(self) -> list[tuple[bytes, bytes]]:
        """Each pair as two PNG files."""
        return [(_png(x), _png(y)) for x, y in zip(self.originals, self.reconstructions, strict=True)]


def file_of(folder: Path, side: int) -> Path:
    """Where the pairs of one size are kept during a run."""
    return folder / f"pairs-{side}.npz"


def make_pairs(data: Path, side: int, count: int) -> Pairs:
    """``count`` pairs of real images: CIFAR-10 at 32 pixels, Caltech-101 above."""
    source = data / "cifar10" / "test" if side == _SMALL else data / "caltech101"
    paths = find_images(source)
    chosen = np.random.default_rng(0).permutation(len(paths))[:count]
    originals = resize_batch([decode(source / paths[i]) for i in chosen], side, side)
    reconstructions = degraded_pairs(originals, seed=0)[1]
    scores = Scorer(providers=ONE_THREAD).score_images(list(originals), list(reconstructions))
    return Pairs(originals, reconstructions, np.array([score.distance for score in scores]))


def _png(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
