"""Questions to the service: the pictures and the pairs of one request follow from a seed."""

import io
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.harness.damaged_pictures import damages

RGBImage = NDArray[np.uint8]
"""uint8 ``(H, W, 3)``."""
Picture = bytes | RGBImage

PNG, JPEG, WEBP = "PNG", "JPEG", "WEBP"
FORMATS = (PNG, JPEG, WEBP)


@dataclass(frozen=True, slots=True)
class Mark:
    """Bytes that every image of a run carries, and nothing else on the machine."""

    text: bytes

    @classmethod
    def of(cls, seed: int) -> "Mark":
        """The mark of a run."""
        token = np.random.default_rng([seed, 0x5EED]).integers(0, 16**8)
        return cls(f"PRIVATE-ORIGINAL-{token:08x}".encode())


def draw(rng: np.random.Generator, height: int, width: int) -> RGBImage:
    """A smooth random picture with a little noise, ``(H, W, 3)``."""
    coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    noise = rng.integers(-6, 7, smooth.shape, dtype=np.int16)
    noisy: RGBImage = np.clip(smooth + noise, 0, 255).astype(np.uint8)
    return noisy


def degrade(rng: np.random.Generator, original: RGBImage) -> RGBImage:
    """A reconstruction: the original, more or less of another picture, more or less noise. Same shape."""
    height, width = original.shape[:2]
    share, sigma = rng.uniform(0, 1), rng.uniform(1, 40)
    mixed = (1 - share) * original + share * draw(rng, height, width) + rng.normal(0, sigma, original.shape)
    return np.clip(mixed, 0, 255).astype(np.uint8)


def stamp(image: RGBImage, mark: Mark) -> RGBImage:
    """The picture with the mark as its first pixels, for images that travel raw."""
    stamped = image.copy()
    stamped.reshape(-1)[: len(mark.text)] = np.frombuffer(mark.text, dtype=np.uint8)
    return stamped


def encode(image: RGBImage, kind: str, mark: Mark) -> bytes:
    """The picture as a file of a format, with the mark where the format has room for such."""
    buffer = io.BytesIO()
    picture = Image.fromarray(image)
    if kind == PNG:
        picture.save(buffer, PNG, compress_level=1)
        buffer.write(mark.text)  # behind a PNG's end anything may stand
    elif kind == JPEG:
        picture.save(buffer, JPEG, quality=90, comment=mark.text)
    else:
        picture.save(buffer, WEBP, quality=90, method=0, xmp=mark.text)
    return buffer.getvalue()


class Form(StrEnum):
    """The forms in which a question travels."""

    JSON = "HTTP JSON"
    MULTIPART = "HTTP multipart"
    OCTETS = "HTTP octet-stream"
    PIXEL_FORM = "HTTP multipart, raw"
    """Raw images as a file of a form: for LitServe, which takes no other bytes. The service does not take it."""
    SCORE = "gRPC Score, encoded"
    SCORE_RAW = "gRPC Score, raw"
    BATCH = "gRPC Score, batch"
    STREAM = "gRPC ScoreStream"
    INFER = "gRPC ModelInfer"


HTTP_FORMS = (Form.JSON, Form.MULTIPART, Form.OCTETS)
UNARY_FORMS = (Form.SCORE, Form.SCORE_RAW, Form.BATCH, Form.INFER)
GRPC_FORMS = (Form.SCORE, Form.SCORE_RAW, Form.BATCH, Form.STREAM, Form.INFER)
_ONE_SIZE = frozenset({Form.OCTETS, Form.BATCH, Form.INFER})
_RAW = frozenset({Form.OCTETS, Form.SCORE_RAW, Form.BATCH, Form.INFER})
_NAMELESS = frozenset({Form.OCTETS, Form.INFER})

_COUNTS = (1, 1, 1, 2, 2, 4, 8, 8, 16, 32)
MOST_PAIRS = max(_COUNTS)
_SIDES = (16, 24, 32, 32, 32, 48, 64, 64, 96)
_SHARED_SHARE = 0.2
_BROKEN_SHARE, _BLACK_SHARE = 0.05, 0.05


@dataclass(frozen=True, slots=True)
class Size:
    """The size of one question: its pairs, and the side of their images in pixels."""

    pairs: int
    side: int


@dataclass(frozen=True, slots=True)
class Question:
    """The pairs of one request."""

    seed: int
    form: Form
    ids: tuple[str | None, ...]
    originals: tuple[Picture, ...]
    """The originals: one for each pair, or a single one for all pairs."""
    reconstructions: tuple[Picture, ...]

    @property
    def name(self) -> str:
        """The id of the request, which its answer must carry."""
        return f"q{self.seed}"

    @property
    def shares_original(self) -> bool:
        """True where one original stands for several pairs."""
        return len(self.originals) != len(self.reconstructions)

    @property
    def pairs(self) -> list[tuple[Picture, Picture]]:
        """The pairs; a shared original is one object."""
        originals = self.originals * (len(self.reconstructions) if self.shares_original else 1)
        return list(zip(originals, self.reconstructions, strict=True))


def ask(seed: int, form: Form, mark: Mark, size: Size | None = None) -> Question:
    """The question of a seed: images of its own, drawn nowhere else; of a size of its own where none is given."""
    rng = np.random.default_rng([seed, 0xA5C])
    count = size.pairs if size else int(rng.choice(_COUNTS))
    shared = size is None and count > 1 and rng.random() < _SHARED_SHARE
    side = size.side if size else int(rng.choice(_SIDES))
    raw = form in _RAW or (form is Form.STREAM and bool(rng.random() < 0.5))

    def picture() -> RGBImage:
        varies = size is None and form not in _ONE_SIZE
        return draw(rng, *(map(int, rng.integers(side, side + 9, 2)) if varies else (side, side)))

    def dress(image: RGBImage) -> Picture:
        return stamp(image, mark) if raw else encode(image, FORMATS[int(rng.integers(len(FORMATS)))], mark)

    plain = [picture() for _ in range(1 if shared else count)]
    degraded = [degrade(rng, plain[0 if shared else i]) for i in range(count)]
    if size is None and rng.random() < _BLACK_SHARE:
        place = int(rng.integers(count))
        degraded[place] = np.zeros_like(degraded[place])
    reconstructions = [dress(image) for image in degraded]
    if size is None and not raw and rng.random() < _BROKEN_SHARE:
        place = int(rng.integers(count))
        states = damages(bytes(reconstructions[place]))
        reconstructions[place] = states[int(rng.integers(len(states)))]
    ids = [None if form in _NAMELESS else f"q{seed}.{i}" for i in range(count)]
    return Question(seed, form, tuple(ids), tuple(dress(image) for image in plain), tuple(reconstructions))
