"""Looking for pictures of published data sets inside files."""

import base64
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

SIDE = 32
"""Pictures are compared at this side in pixels, and looked up at a quarter of it."""
BORROWED_DB = 28.0
"""A picture as near as this to a published one is taken for a copy, resized or compressed. Plots stay below 25 dB."""
_COARSE, _COARSE_DB = SIDE // 4, 26.0
_LEAST_CONTRAST = 8.0
"""Standard deviation in levels 0..255: below it a picture shows nothing."""
_LEAST_SIDE = 16
_EMBEDDED = re.compile(rb"(?:iVBORw0KGgo|/9j/|UklGR)[A-Za-z0-9+/\\\n]{200,}={0,2}")

Pixels = NDArray[np.float32]
"""``(N, side, side, 3)``, 0..255."""


@dataclass(frozen=True)
class Published:
    """Pictures of published data sets."""

    names: tuple[str, ...]
    pictures: Pixels

    @classmethod
    def read(cls, data: Path) -> "Published":
        """CIFAR-10, Caltech-101 and the part of CIFAR-100 below a folder of data sets."""
        paths = sorted(path for name in ("cifar10", "caltech101") for path in (data / name).rglob("*.jpg"))
        pictures = [small(path) for path in paths]
        names = [str(path.relative_to(data)) for path in paths]
        with np.load(data / "cifar100_partial.npz") as archive:
            for kind in ("train_images", "test_images"):
                pictures += [small(image) for image in archive[kind]]
                names += [f"CIFAR-100 {kind} {index}" for index in range(len(archive[kind]))]
        return cls(tuple(names), np.stack(pictures))

    def nearest(self, pictures: Pixels) -> list[tuple[float, str]]:
        """The PSNR in dB of each picture to the published one nearest to it, and its name; zero where none is near."""
        if not len(pictures):
            return []
        known = _coarse(self.pictures)
        lengths = (known**2).sum(axis=1)
        best: list[tuple[float, str]] = []
        for start in range(0, len(pictures), 1000):
            part = pictures[start : start + 1000]
            wanted = _coarse(part)
            squared = (lengths[None] - 2 * wanted @ known.T + (wanted**2).sum(axis=1)[:, None]) / known.shape[1]
            for picture, errors in zip(part, squared, strict=True):
                near = np.flatnonzero(errors <= 255**2 / 10 ** (_COARSE_DB / 10))
                exact = [(_psnr(picture, self.pictures[index]), self.names[index]) for index in near]
                best.append(max(exact, default=(0.0, "")))
        return best


def small(source: Path | NDArray[np.uint8] | Image.Image) -> Pixels:
    """The centre square of a picture at the side ``SIDE``."""
    picture = Image.open(source) if isinstance(source, Path) else source
    picture = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    picture.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG is decoded no larger than needed
    picture = picture.convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    box = (left, top, left + side, top + side)
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX, box=box), np.float32)


def pictures_in(path: Path) -> Iterator[Image.Image]:
    """The pictures that a file is or holds: in columns of a table, or as base64 in text."""
    data = path.read_bytes()
    if path.suffix == ".parquet":
        table = pq.read_table(pa.BufferReader(data))
        binary = [name for name in table.column_names if pa.types.is_binary(table.schema.field(name).type)]
        candidates = [value for name in binary for value in table[name].to_pylist()]
    else:
        texts = [re.sub(rb"\\n|\s", b"", text) for text in _EMBEDDED.findall(data)]
        candidates = [data, *(base64.b64decode(text + b"==") for text in texts)]
    for candidate in candidates:
        try:
            yield Image.open(io.BytesIO(candidate))
        except UnidentifiedImageError:
            continue


def pieces(picture: Image.Image) -> list[Pixels]:
    """A picture and the parts that rows and columns of one colour set apart, as in a contact sheet, at ``SIDE``."""
    pixels = np.asarray(picture.convert("RGB"))
    parts = [pixels, *_parts(pixels)]
    squares = [small(part) for part in parts if min(part.shape[:2]) >= _LEAST_SIDE]
    return [square for square in squares if square.std() >= _LEAST_CONTRAST]


def _parts(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    for axis in (0, 1):
        lines = np.moveaxis(pixels, axis, 0).reshape(pixels.shape[axis], -1, 3)
        filled = (lines != lines[:, :1]).any(axis=(1, 2))
        edges = np.flatnonzero(np.diff(np.concatenate([[0], filled, [0]])))
        spans = list(zip(edges[::2], edges[1::2], strict=True))
        if spans != [(0, pixels.shape[axis])]:
            cut = [pixels[start:end] if axis == 0 else pixels[:, start:end] for start, end in spans]
            return [part for piece in cut if min(piece.shape[:2]) >= _LEAST_SIDE for part in _parts(piece)]
    return [pixels]


def _coarse(pictures: Pixels) -> Pixels:
    blocks = pictures.reshape(len(pictures), _COARSE, 4, _COARSE, 4, 3).mean(axis=(2, 4))
    return blocks.reshape(len(pictures), -1)


def _psnr(one: Pixels, other: Pixels) -> float:
    return float(10 * np.log10(255**2 / max(float(((one - other) ** 2).mean()), 1e-6)))
