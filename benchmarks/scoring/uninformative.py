"""How often pairs are called uninformative: originals without content, and blank or reordered reconstructions.

    python -m benchmarks.scoring.uninformative [--write FILE]

Made pictures are drawn anew for each size. Beside them stands why the rule is needed: the share of pairs of two
unrelated pictures of one kind that the bundled model would call recognizable. Copies of real images are made blank by
the mistakes that make them so, and by darkening; beside them stand the reconstructions of the committed sets.
"""

import io
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from benchmarks.harness.reports import options, publish, records_table
from semsim import Scorer
from semsim.bulk.matching import find_images
from semsim.images import RGBImage, decode, resize_batch
from semsim.uninformative import Uninformative
from semsim.uninformative.empty_originals import SIDE, shows_nothing
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.reconstructions.scored_rows import score_rows

SIZES = (16, 32, 64, 128, 224)
PICTURES = 100
REAL = 3000
COPIES = 500
_NAMES = {"edges": "edge drawings", "style": "cue conflicts"}


def _image(values: NDArray[np.generic], side: int) -> RGBImage:
    """Values of any range, rounded and clipped, in three channels."""
    rounded = np.clip(np.rint(values.astype(np.float64)), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(rounded, (side, side, 3)))


def _uniform(rng: Generator, side: int, channels: int = 3, grain: int = 1) -> RGBImage:
    cells = rng.integers(0, 256, (side // grain, side // grain, channels))
    return _image(cells.repeat(grain, axis=0).repeat(grain, axis=1), side)


def _gaussian(rng: Generator, side: int, mean: float, deviation: float, channels: int = 3) -> RGBImage:
    return _image(rng.normal(mean, deviation, (side, side, channels)), side)


def _salt_and_pepper(rng: Generator, side: int, share: float) -> RGBImage:
    where = rng.random((side, side, 1))
    return _image(np.where(where < share / 2, 0, np.where(where > 1 - share / 2, 255, rng.integers(0, 256, 3))), side)


def _gradient(rng: Generator, side: int) -> RGBImage:
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    slope = (1 + (np.cos(angle) * x + np.sin(angle) * y) / np.sqrt(2)) / 2
    first, last = rng.integers(0, 256, (2, 3))
    return _image(first + slope[..., None] * (last - first), side)


def _spectral(rng: Generator, side: int, exponent: float) -> RGBImage:
    """Noise whose amplitude falls with the frequency to this power, a channel on its own."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    frequency[0, 0] = np.inf
    spectrum = np.fft.fft2(rng.normal(size=(3, side, side))) / frequency**exponent
    values = np.fft.ifft2(spectrum).real.transpose(1, 2, 0)
    return _image(128 + 50 * values / values.std(), side)


KINDS: dict[str, Callable[[Generator, int], RGBImage]] = {
    "plain colour": lambda rng, side: _image(rng.integers(0, 256, 3), side),
    "gradient": _gradient,
    "nearly black, sensor noise 1 to 3": lambda rng, side: _gaussian(rng, side, rng.uniform(0, 12), rng.uniform(1, 3)),
    "nearly white, sensor noise 1 to 3": lambda rng, side: _gaussian(
        rng, side, rng.uniform(243, 255), rng.uniform(1, 3)
    ),
    "uniform noise": _uniform,
    "uniform noise, grey": lambda rng, side: _uniform(rng, side, 1),
    "Gaussian noise, 5 to 80": lambda rng, side: _gaussian(rng, side, rng.uniform(60, 196), rng.uniform(5, 80)),
    "Gaussian noise, grey": lambda rng, side: _gaussian(rng, side, rng.uniform(60, 196), rng.uniform(5, 80), 1),
    "noise in blocks of 2x2": lambda rng, side: _uniform(rng, side, 3, 2),
    "noise in blocks of 4x4": lambda rng, side: _uniform(rng, side, 3, 4),
    "salt and pepper, 30%": lambda rng, side: _salt_and_pepper(rng, side, 0.3),
    "salt and pepper, 10%": lambda rng, side: _salt_and_pepper(rng, side, 0.1),
    "1/sqrt(f) noise": lambda rng, side: _spectral(rng, side, 0.5),
    "1/f noise": lambda rng, side: _spectral(rng, side, 1.0),
}


def share_called(images: list[RGBImage]) -> float:
    """The share of images that the rule calls uninformative."""
    pictures = zip(images, resize_batch(images, SIDE, SIDE), strict=True)
    return float(np.mean([shows_nothing(picture, min(image.shape[:2])) for image, picture in pictures]))


def made(scorer: Scorer) -> Iterator[dict[str, object]]:
    """One row a kind of picture of nothing."""
    rng = np.random.default_rng(18)
    for kind, draw in KINDS.items():
        images = {side: [draw(rng, side) for _ in range(PICTURES)] for side in SIZES}
        distances = [np.linalg.norm(x - y) for x, y in pairwise(scorer.embed(images[SIDE]).astype(np.float64))]
        leakages = scorer.leakage(np.array(distances))
        alike = "-" if leakages is None else f"{(leakages >= (scorer.manifest.threshold or 1)).mean():.0%}"
        shares = {f"{side} px": f"{share_called(images[side]):.0%}" for side in SIZES}
        yield {"kind": kind, **shares, "unrelated pairs called recognizable without the rule (64 px)": alike}


def real(data: Path) -> Iterator[dict[str, object]]:
    """One row a set of real images."""
    sets = {"CIFAR-10, test": ("cifar10/test", (16, 32)), "Caltech-101": ("caltech101", (32, 64, 128))}
    for name, (folder, sides) in sets.items():
        paths = find_images(data / folder)
        chosen = np.random.default_rng(18).permutation(len(paths))[:REAL]
        images = [decode(data / folder / paths[i]) for i in chosen]
        for side in sides:
            yield _row(f"{name}, {side} px", list(resize_batch(images, side, side)))
    people = data / "people" / "texture_shape.parquet"
    if people.is_file():
        from pyarrow import parquet

        rows = parquet.read_table(people).to_pylist()
        for kind in dict.fromkeys(row["kind"] for row in rows):
            name = _NAMES.get(kind, kind)
            yield _row(f"{name} (Geirhos et al., 2019)", [_png(row["image"]) for row in rows if row["kind"] == kind])


def _png(content: bytes) -> RGBImage:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def _row(name: str, images: list[RGBImage]) -> dict[str, object]:
    share = share_called(images)
    return {"images": name, "number": f"{len(images):,}", "called uninformative": f"{share:.2%}"}


def _normalised(image: RGBImage) -> NDArray[np.float64]:
    return (image / 255.0 - 0.5) / 0.25


def _scaled(part: float, around: float) -> Callable[[RGBImage], NDArray[Any]]:
    return lambda image: around + (image - around) * part


_PARTS = (0.05, 0.1, 0.2, 0.3, 0.5)
SPOILT: dict[str, Callable[[RGBImage], NDArray[np.generic]]] = {
    "black": np.zeros_like,
    "values of 0..1, not scaled": lambda image: image / 255.0,
    "normalised values, not scaled": lambda image: _normalised(image).clip(0),
    "normalised values, not scaled, those below 0 from 255 down": lambda image: _normalised(image).round() % 256,
    "normalised twice": _scaled(0.25, 127.5),
    **{f"darkened to {part:.0%}": _scaled(part, 0.0) for part in _PARTS},
    **{f"contrast of {part:.0%}": _scaled(part, 127.5) for part in _PARTS},
    "blue, green, red": lambda image: image[..., ::-1],
    "height and width exchanged": lambda image: image.transpose(1, 0, 2),
    "mirrored": lambda image: image[:, ::-1],
    "turned by 90 degrees": np.rot90,
    "inverted": lambda image: 255 - image,
    "inverted and mirrored": lambda image: 255 - image[:, ::-1],
    "inverted and turned by 90 degrees": lambda image: 255 - np.rot90(image),
    "shifted by half, in height and width": lambda image: np.fft.fftshift(image, axes=(0, 1)),
    "red alone, others 0": lambda image: image * np.array([1, 0, 0], dtype=np.uint8),
    "(3, H, W) reshaped to (H, W, 3)": lambda image: image.transpose(2, 0, 1).reshape(image.shape),
    "(H, W, 3) reshaped to (3, H, W), then transposed": lambda image: image.reshape(3, *image.shape[:2]).transpose(
        1, 2, 0
    ),
}
"""Copies of a square image as reconstructions after mistakes on the way to a file."""


def spoilt(scorer: Scorer, data: Path) -> Iterator[dict[str, object]]:
    """One row a kind of spoilt copy: the share called recognizable, and the share that nothing can be told of."""
    images = {}
    for name, folder, side in (("CIFAR-10, 32 px", "cifar10/test", 32), ("Caltech-101, 64 px", "caltech101", 64)):
        paths = find_images(data / folder)
        chosen = np.random.default_rng(18).permutation(len(paths))[:COPIES]
        images[name] = list(resize_batch([decode(data / folder / paths[i]) for i in chosen], side, side))
    for kind, spoil in SPOILT.items():
        shares: dict[str, object] = {}
        for name, originals in images.items():
            scores = scorer.score_images(originals, [_image(spoil(image), image.shape[0]) for image in originals])
            for verdict, share in (
                ("could not tell", np.mean([one.uninformative is not None for one in scores])),
                ("recognizable", np.mean([one.recognizable is True for one in scores])),
            ):
                shares[f"{name}: {verdict}"] = f"{share:.0%}"
        yield {"copy": kind, **shares}


def attacked(scorer: Scorer) -> Iterator[dict[str, object]]:
    """One row a committed set: the shares that are called uninformative, by the reason."""
    for name in ("cifar10", "cifar10-many", "caltech101", "caltech101-many"):
        committed = ReconstructionSet.read(Path("datasets") / name)
        scored = [one.score for one in score_rows(committed, committed.rows, scorer) if one.score is not None]
        counts = Counter(one.uninformative for one in scored)
        shares = {why.value: f"{counts[why] / len(scored):.2%}" for why in Uninformative}
        yield {"set": f"`{name}`", "reconstructions": f"{len(scored):,}", **shares}


def main() -> None:
    """Measure, and print the tables; with ``--write`` keep them in a page."""
    arguments = options(__doc__, "uninformative", images=True).parse_args()
    scorer = Scorer()
    text = (
        f"{records_table(list(made(scorer)))}\n\nEach share is of {PICTURES} pictures.\n\n"
        f"{records_table(list(real(arguments.data)))}\n\n{records_table(list(spoilt(scorer, arguments.data)))}\n\n"
        f"{records_table(list(attacked(scorer)))}"
    )
    publish(text, "uninformative", arguments.write)


if __name__ == "__main__":
    main()
