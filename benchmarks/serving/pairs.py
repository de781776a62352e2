"""Real images and degraded copies of them, all distinct, with the distances that the library gives them."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.harness.questions import Form, Question
from benchmarks.serving.cells import ONE_THREAD, model_of_run
from semsim import Scorer
from semsim.bulk.matching import find_images
from semsim.images import decode, resize_batch
from semsim_export.parity_pairs import degraded_pairs

_SMALL = 32


@dataclass(frozen=True, eq=False)
class Pairs:
    """N pairs of one size."""

    originals: NDArray[np.uint8]
    """The originals ``(N, H, W, 3)``, no two equal."""
    reconstructions: NDArray[np.uint8]
    """The reconstructions, in the shape of the originals."""
    distances: NDArray[np.float64]
    """The distances of the bundled model, ``(N,)``."""

    def save(self, folder: Path, side: int) -> None:
        """Write the pairs where another process can read them."""
        np.savez(folder / f"{side}.npz", **vars(self))

    @staticmethod
    @cache
    def load(folder: Path, side: int) -> "Pairs":
        """Read what :meth:`save` wrote."""
        with np.load(folder / f"{side}.npz") as arrays:
            return Pairs(**arrays)

    def encoded(self) -> list[tuple[bytes, bytes]]:
        """Each pair as two PNG files."""
        return [(file_of(x), file_of(y)) for x, y in zip(self.originals, self.reconstructions, strict=True)]

    def questions(self, size: int, form: Form) -> Iterator[Question]:
        """All pairs, ``size`` a question, without names."""
        encoded = self.encoded() if form is Form.JSON else None
        for start in range(0, len(self.originals) - size + 1, size):
            part = slice(start, start + size)
            raw = self.originals[part], self.reconstructions[part]
            originals, reconstructions = zip(*encoded[part], strict=True) if encoded else raw
            yield Question(start, form, (None,) * size, tuple(originals), tuple(reconstructions))


def real_images(data: Path, side: int, count: int) -> NDArray[np.uint8]:
    """``count`` images ``(N, side, side, 3)``: of CIFAR-10 at 32 pixels, of Caltech-101 above."""
    source = data / "cifar10" / "test" if side == _SMALL else data / "caltech101"
    paths = find_images(source)
    chosen = np.random.default_rng(0).permutation(len(paths))[:count]
    return resize_batch([decode(source / paths[i]) for i in chosen], side, side)


def make_pairs(data: Path, side: int, count: int) -> Pairs:
    """``count`` pairs of real images."""
    originals = real_images(data, side, count)
    reconstructions = degraded_pairs(originals, seed=0)[1]
    scores = Scorer(model_of_run(), providers=ONE_THREAD).score_images(list(originals), list(reconstructions))
    return Pairs(originals, reconstructions, np.array([score.distance for score in scores]))


def file_of(image: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    """The PNG or JPEG file of an image."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()
