"""Questions to the service: a seed gives the pairs of one, and the offline scorer the answer that it must get."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from benchmarks.endurance.load.pictures import FORMATS, Mark, RGBImage, degrade, draw, encode, stamp
from semsim.manifest import Manifest
from semsim.pairs import PairFailure
from semsim.scorer import PairScore, Scorer

Image = bytes | RGBImage
"""Encoded, or raw."""


class Form(StrEnum):
    """How a question travels."""

    JSON = "HTTP JSON"
    MULTIPART = "HTTP multipart"
    OCTETS = "HTTP octet-stream"
    SCORE = "gRPC Score, encoded"
    SCORE_RAW = "gRPC Score, raw"
    BATCH = "gRPC Score, batch"
    STREAM = "gRPC ScoreStream"
    INFER = "gRPC ModelInfer"


HTTP_FORMS = (Form.JSON, Form.MULTIPART, Form.OCTETS)
GRPC_FORMS = (Form.SCORE, Form.SCORE_RAW, Form.BATCH, Form.STREAM, Form.INFER)
_ONE_SIZE = frozenset({Form.OCTETS, Form.BATCH, Form.INFER})
_RAW = frozenset({Form.OCTETS, Form.SCORE_RAW, Form.BATCH, Form.INFER})
_NAMELESS = frozenset({Form.OCTETS, Form.INFER})

_COUNTS = (1, 1, 1, 2, 2, 4, 8, 8, 16, 32)
_SIDES = (16, 24, 32, 32, 32, 48, 64, 64, 96)
_SHARED_SHARE = 0.2
_BROKEN_SHARE = 0.05
_CHUNK_PAIRS = 64
DISTANCE_TOLERANCE = 1e-5
"""How far a distance may lie from the offline scorer's: the network adds up in single precision, in an order that
depends on how many images it runs at once, and the service chooses those."""
_SINGLE = 1e-6
"""More than what a number in [0, 1] loses where it travels in single precision."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much one question asks: pairs, and the side of their images in pixels."""

    pairs: int
    side: int


@dataclass(frozen=True, slots=True)
class Question:
    """The pairs of one request."""

    seed: int
    form: Form
    ids: tuple[str | None, ...]
    originals: tuple[Image, ...]
    """One a pair, or a single one for all."""
    reconstructions: tuple[Image, ...]

    @property
    def pairs(self) -> list[tuple[Image, Image]]:
        """Each pair; a shared original is one object."""
        many = self.originals if len(self.originals) > 1 else self.originals * len(self.reconstructions)
        return list(zip(many, self.reconstructions, strict=True))


@dataclass(frozen=True, slots=True)
class Row:
    """The answer to one pair, as every form gives it; of a failed one only the id and the code."""

    id: str | None
    distance: float = 0.0
    leakage: float | None = None
    recognizable: bool | None = None
    mse: float = 0.0
    psnr: float | None = None
    ssim: float = 0.0
    code: str | None = None
    leakage_tolerance: float = 0.0
    """Of an expected one: how far its leakage may lie off because its distance may."""
    undecided: bool = False
    """Of an expected one: its leakage is so near the threshold that it may be called recognizable or not."""


def ask(seed: int, form: Form, mark: Mark, size: Size | None = None) -> Question:
    """The question of a seed: images of its own, drawn nowhere else; of a size of its own where none is given."""
    rng = np.random.default_rng([seed, 0xA5C])
    count = size.pairs if size else int(rng.choice(_COUNTS))
    shared = size is None and count > 1 and rng.random() < _SHARED_SHARE
    side = size.side if size else int(rng.choice(_SIDES))
    raw = form in _RAW or (form is Form.STREAM and bool(rng.random() < 0.5))

    def picture() -> RGBImage:
        vary = size is None and form not in _ONE_SIZE
        height, width = rng.integers(side, side + 9, 2) if vary else (side, side)
        return draw(rng, int(height), int(width))

    def dress(image: RGBImage) -> Image:
        return stamp(image, mark) if raw else encode(image, FORMATS[int(rng.integers(len(FORMATS)))], mark)

    plain = [picture() for _ in range(1 if shared else count)]
    degraded = [degrade(rng, plain[0 if shared else i]) for i in range(count)]
    reconstructions = [dress(image) for image in degraded]
    if size is None and not raw and rng.random() < _BROKEN_SHARE:
        place = int(rng.integers(count))
        whole = reconstructions[place]
        reconstructions[place] = bytes(whole[: len(whole) // 3])
    ids = [None if form in _NAMELESS else f"q{seed}.{i}" for i in range(count)]
    return Question(seed, form, tuple(ids), tuple(dress(image) for image in plain), tuple(reconstructions))


def expected_rows(questions: Iterable[Question], scorer: Scorer) -> Iterator[tuple[Question, list[Row]]]:
    """Each question with the rows that it must get, scored together, a few questions at a time."""
    waiting: list[Question] = []
    pairs = 0
    for question in questions:
        waiting.append(question)
        pairs += len(question.reconstructions)
        if pairs >= _CHUNK_PAIRS:
            yield from _score(waiting, scorer)
            waiting, pairs = [], 0
    yield from _score(waiting, scorer)


def _score(questions: Sequence[Question], scorer: Scorer) -> Iterator[tuple[Question, list[Row]]]:
    results = iter(scorer.score_pairs([pair for question in questions for pair in question.pairs]))
    for question in questions:
        yield question, [_row(pair_id, next(results), scorer.manifest) for pair_id in question.ids]


def _row(pair_id: str | None, result: PairScore | PairFailure, manifest: Manifest) -> Row:
    if isinstance(result, PairFailure):
        return Row(pair_id, code=result.code.value)
    tolerance, undecided = _leeway(result, manifest)
    return Row(
        pair_id,
        distance=result.distance,
        leakage=result.leakage,
        recognizable=result.recognizable,
        mse=result.mse,
        psnr=None if np.isinf(result.psnr) else result.psnr,
        ssim=result.ssim,
        leakage_tolerance=tolerance,
        undecided=undecided,
    )


def _leeway(result: PairScore, manifest: Manifest) -> tuple[float, bool]:
    """How far the leakage may lie off, and whether it could then be on the threshold's other side."""
    if manifest.calibration is None or manifest.threshold is None or result.leakage is None:
        return 0.0, False
    around = np.array([result.distance - DISTANCE_TOLERANCE, result.distance + DISTANCE_TOLERANCE])
    high, low = manifest.calibration.leakage(around)
    tolerance = float(max(high - result.leakage, result.leakage - low)) + _SINGLE
    return tolerance, abs(result.leakage - manifest.threshold) <= tolerance
