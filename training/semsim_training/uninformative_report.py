"""How often pairs are called uninformative: originals without content; blank, reordered or moved reconstructions.

    python -m semsim_training.uninformative_report DATA [--write FILE]

Made pictures are drawn anew for each size. Beside them stands why the rule is needed: the share of pairs of two
unrelated pictures of one kind that the bundled model would call recognizable. Copies of real images are made blank by
the mistakes that make them so, and by darkening, or moved; beside them stand the reconstructions of the committed sets.
"""

import io
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from pyarrow import parquet

from semsim import Scorer
from semsim.bulk.matching import find_images
from semsim.images import RGBImage, decode, resize_batch
from semsim.uninformative import Uninformative
from semsim.uninformative.empty_originals import SIDE, show_nothing
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.markdown import records_table, write_between
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.reconstructions.scored_rows import score_rows

SIZES = (16, 32, 64, 128, 224)
PICTURES = 100
JUDGED = (
    "cifar10", "cifar10-many", "caltech101", "caltech101-many",
    "cifar10-trained", "caltech101-trained", "cifar100-trained", "cifar10-trained-defended",
)  # fmt: skip
"""The committed sets that vision models have judged."""
Copy = Callable[[RGBImage], NDArray[np.generic]]


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
    small = resize_batch(images, SIDE, SIDE)
    return float(show_nothing(small, [min(image.shape[:2]) for image in images]).mean())


def made(scorer: Scorer) -> Iterator[dict[str, object]]:
    """One row a kind of picture of nothing."""
    rng = np.random.default_rng(18)
    for kind, draw in KINDS.items():
        images = {side: [draw(rng, side) for _ in range(PICTURES)] for side in SIZES}
        gaps = [np.linalg.norm(x - y) for x, y in pairwise(scorer.embed(images[SIDE]).astype(np.float64))]
        leakages = scorer.leakage(np.array(gaps))
        alike = "-" if leakages is None else f"{(leakages >= (scorer.manifest.threshold or 1)).mean():.0%}"
        shares = {f"{side} px": f"{share_called(images[side]):.0%}" for side in SIZES}
        unrelated = {"unrelated pairs called recognizable without the rule (64 px)": alike}
        yield {f"kind, {PICTURES} a size": kind, **shares, **unrelated}


def real(data: Path) -> Iterator[dict[str, object]]:
    """One row a set of real images."""
    sets = {"CIFAR-10, test": ("cifar10/test", (16, 32)), "Caltech-101": ("caltech101", (32, 64, 128))}
    for name, (folder, sides) in sets.items():
        paths = find_images(data / folder)
        chosen = np.random.default_rng(18).permutation(len(paths))[:3000]
        images = [decode(data / folder / paths[i]) for i in chosen]
        for side in sides:
            yield _row(f"{name}, {side} px", list(resize_batch(images, side, side)))
    people = data / "people" / "texture_shape.parquet"
    if people.is_file():
        rows = parquet.read_table(people).to_pylist()
        for kind in dict.fromkeys(row["kind"] for row in rows):
            name = {"edges": "edge drawings", "style": "cue conflicts"}.get(kind, kind)
            yield _row(f"{name} (Geirhos et al., 2019)", [decode(row["image"]) for row in rows if row["kind"] == kind])


def _row(name: str, images: list[RGBImage]) -> dict[str, object]:
    return {"images": name, "number": f"{len(images):,}", "called uninformative": f"{share_called(images):.2%}"}


def _scaled(part: float, around: float) -> Callable[[RGBImage], NDArray[Any]]:
    return lambda image: around + (image - around) * part


SPOILT: dict[str, Copy] = {  # copies of a square image as reconstructions after mistakes on the way to a file
    "black": np.zeros_like,
    "values of 0..1, not scaled": lambda image: image / 255.0,
    "normalised values, not scaled": lambda image: (image / 63.75 - 2).clip(0),
    "normalised values, not scaled, those below 0 from 255 down": lambda image: (image / 63.75 - 2).round() % 256,
    "normalised twice": _scaled(0.25, 127.5),
    **{f"darkened to {part:.0%}": _scaled(part, 0.0) for part in (0.05, 0.1, 0.2, 0.3, 0.5)},
    **{f"contrast of {part:.0%}": _scaled(part, 127.5) for part in (0.05, 0.1, 0.2, 0.3, 0.5)},
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
    "(H, W, 3) reshaped to (3, H, W), then transposed": lambda image: image.reshape(3, -1).T.reshape(image.shape),
    "(3, W, H), Fortran's order, reshaped to (H, W, 3)": lambda image: image.transpose(2, 1, 0).reshape(image.shape),
    "(W, 3, H), transposed twice, reshaped to (H, W, 3)": lambda image: image.transpose(1, 2, 0).reshape(image.shape),
    "(H, 3, W), lines in turn, reshaped to (H, W, 3)": lambda image: image.transpose(0, 2, 1).reshape(image.shape),
}


def _moved(part: float, down: bool, how: str, image: RGBImage) -> NDArray[np.generic]:
    """A copy moved right, and perhaps down, by a part of its side. ``how``: what is behind it, and what comes later."""
    rng, (behind, _, later) = np.random.default_rng(18), how.partition(", ")
    across, along = (np.arange(len(image)) - round(len(image) * by) for by in (part, part * down))
    copy, outside = image[along.clip(0)][:, across.clip(0)], (along < 0)[:, None] | (across < 0)
    if behind != "edges":
        copy[outside] = {"grey": 128, "black": 0}.get(behind, rng.integers(0, 256, (np.count_nonzero(outside), 3)))
    if later == "JPEG":
        Image.fromarray(copy).save(file := io.BytesIO(), later)
        return decode(file.getvalue())
    return np.asarray(copy + rng.normal(0, float(later.removeprefix("noise ") or 0), copy.shape), dtype=np.float64)


MOVED: dict[str, Copy] = {
    f"1/{parts} right{' and down' * down}: {how}": partial(_moved, 1 / parts, down, how)
    for parts, down in ((8, False), (4, False), (3, False), (4, True), (3, True))
    for how in ("grey", "black", "edges", "noise", "grey, JPEG", "grey, noise 10", "grey, noise 25")
}


def copied(scorer: Scorer, data: Path, copies: dict[str, Copy], number: int) -> Iterator[dict[str, object]]:
    """One row a kind of copy: the shares that nothing can be told of, that are recognizable, and that leak little."""
    pictures = [*Path("examples/images/photographs").glob("*/*.png"), *Path("examples/images").glob("*.jpg")]
    images = {"10 photographs, 64 px": list(resize_batch([decode(path) for path in pictures], 64, 64))}
    for name, folder, side in (("CIFAR-10, 32 px", "cifar10/test", 32), ("Caltech-101, 64 px", "caltech101", 64)):
        paths = find_images(data / folder)
        chosen = np.random.default_rng(18).permutation(len(paths))[:number]
        images[name] = list(resize_batch([decode(data / folder / paths[i]) for i in chosen], side, side))
    for kind, change in copies.items():
        shares: dict[str, object] = {}
        for name, originals in images.items():
            scores = scorer.score_images(originals, [_image(change(image), image.shape[0]) for image in originals])
            told = [score.recognizable for score in scores]
            shares[name] = ", ".join(f"{told.count(verdict) / len(told):.0%}" for verdict in (None, True, False))
        yield {"copy": kind, **shares}


def attacked(scorer: Scorer) -> Iterator[dict[str, object]]:
    """One row a judged set: the shares that are called uninformative, by the reason."""
    for name in JUDGED:
        committed = ReconstructionSet.read(Path("datasets") / name)
        judged = JudgedSet.read(committed, Path("datasets/vision-models"), AnnotatorKind.VISION_MODEL)
        scored = score_rows(committed, [pair.row for pair in judged.pairs], scorer)
        reasons = np.array([one.score and one.score.uninformative for one in scored])
        shares = {why.value: f"{(reasons == why).mean():.2%}" for why in Uninformative}
        lost = reasons[judged.recognised == 0] == Uninformative.MOVED
        moves = np.array(["--mode-" in setting for setting in judged.settings])[judged.recognised == 0]
        shares |= {"moved, of those that nobody recognised": f"{lost.mean():.2%}"}
        shares |= {"the same, without clients' policies of augmentation": f"{lost[~moves].mean():.2%}"}
        yield {"set": f"`{name}`", "reconstructions": f"{len(scored):,}", **shares}


def main() -> None:
    """Measure, and print the tables; with ``--write`` keep them in a page."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of real images, SEMSIM_DATA")
    parser.add_argument("--write", type=Path, help="a Markdown page with <!-- uninformative --> marks")
    arguments, scorer = parser.parse_args(), Scorer()
    copies = (copied(scorer, arguments.data, changes, number) for changes, number in ((SPOILT, 500), (MOVED, 200)))
    tables = made(scorer), real(arguments.data), *copies, attacked(scorer)
    measured = f"Measured with {scorer.manifest.name} {scorer.manifest.version}."
    text = "\n\n".join((measured, *(records_table(list(rows)) for rows in tables)))
    print(text)
    if arguments.write is not None:
        write_between(arguments.write, "uninformative", text)


if __name__ == "__main__":
    main()
