"""The work on a request before the network: its pairs are read in pieces, so that few large images are held at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from semsim.images import RGBImage
from semsim.pairs import PairFailure, PairReader
from semsim.pixel_metrics import PixelMetrics
from semsim.scorer import PreparedPairs, Scorer
from semsim.stages import Pause
from semsim_service.core.claim import FEW_PAIRS, LITTLE_PIXELS
from semsim_service.core.decoding import Decode
from semsim_service.core.image_digests import Digest
from semsim_service.core.received import ReceivedPair, ReceivedRequest, RejectedPair
from semsim_service.settings import Limits

_PIECE_PIXELS = 2**20
"""The pixels of decoded pairs that are prepared together. Many small ones together are faster, larger ones are not."""
_MOST_KEPT = 2**23
"""The pixels of decoded images that a request keeps, since they may come again, or twice the largest image."""


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """The pairs of a request after decoding: the network's input, and the failures so far."""

    ids: list[str | None]
    indices: list[int]
    """The places of the pairs that were decoded."""
    failures: dict[int, PairFailure]
    pairs: PreparedPairs | None
    """None where no pair was decoded, or where they are little work."""
    digests: list[bytes]
    """A digest of each of the network's images."""
    controls: bool
    histogram: bool = False
    little: "Piece | None" = None
    """All decoded pairs where they are little work, to be prepared together with other requests'."""


@dataclass(slots=True)
class Piece:
    """Decoded pairs that are prepared together."""

    originals: list[RGBImage] = field(default_factory=list)
    reconstructions: list[RGBImage] = field(default_factory=list)
    pixels: int = 0

    def add(self, original: RGBImage, reconstruction: RGBImage) -> None:
        """Take one more pair."""
        self.originals.append(original)
        self.reconstructions.append(reconstruction)
        self.pixels += (original.size + reconstruction.size) // 3

    @property
    def is_little(self) -> bool:
        """True where the pairs are some, and take so little that they are better prepared together with others."""
        return 1 <= len(self.originals) <= FEW_PAIRS and self.pixels <= LITTLE_PIXELS


class Preparer:
    """Prepares requests with a model's scorer, within limits.

    Args:
        scorer: the model.
        limits: the limits of a request.
        digest: names the images that are the same.
    """

    def __init__(self, scorer: Scorer, limits: Limits, digest: Digest) -> None:
        self._scorer = scorer
        self._limits = limits
        self._most_kept = max(_MOST_KEPT, 2 * limits.image_pixels)
        self._digest = digest

    def prepare(
        self, received: ReceivedRequest, decode: Decode, pause: Pause, may_join: Callable[[], bool]
    ) -> PreparedRequest:
        """Decode all pairs, and prepare them unless they are little work; a bad one fails alone.

        Args:
            received: the request.
            decode: decodes one image.
            pause: called between two pieces of the work, of some milliseconds each beside ``decode``.
            may_join: False where no group has room for little work, which is prepared here then.
        """
        reader = PairReader(decode, self._limits.request_pixels, self._most_kept)
        indices: list[int] = []
        failures: dict[int, PairFailure] = {}
        parts: list[PreparedPairs] = []
        piece = Piece()
        for index, pair in enumerate(received.pairs):
            pause()
            outcome = _read(reader, pair)
            if isinstance(outcome, PairFailure):
                failures[index] = outcome
                continue
            indices.append(index)
            piece.add(*outcome)
            if piece.pixels >= _PIECE_PIXELS:
                parts.append(self._scorer.prepare(piece.originals, piece.reconstructions, pause=pause))
                piece = Piece()
        ids = [pair.id for pair in received.pairs]
        flags = received.controls, received.histogram
        # LPIPS takes longer than the network, and would hold up the others of a group.
        if not parts and piece.is_little and self._scorer.lpips is None and may_join():
            return PreparedRequest(ids, indices, failures, None, [], *flags, little=piece)
        if piece.originals:
            parts.append(self._scorer.prepare(piece.originals, piece.reconstructions, pause=pause))
        pairs, digests = self._joined(parts)
        return PreparedRequest(ids, indices, failures, pairs, digests, *flags)

    def _joined(self, parts: Sequence[PreparedPairs]) -> tuple[PreparedPairs | None, list[bytes]]:
        """The parts as one, each image once, and the images' digests."""
        digests = [[self._digest(image) for image in part.images] for part in parts]
        if len(parts) <= 1:
            return (parts[0], digests[0]) if parts else (None, [])
        rows: dict[bytes, int] = {}
        images, originals, reconstructions = [], [], []
        for part, names in zip(parts, digests, strict=True):
            for image, name in zip(part.images, names, strict=True):
                if name not in rows:
                    rows[name] = len(rows)
                    images.append(image)
            places = np.array([rows[name] for name in names], dtype=np.intp)
            originals.append(places[part.originals])
            reconstructions.append(places[part.reconstructions])
        metrics = {
            each.name: np.concatenate([getattr(part.pixels, each.name) for part in parts])
            for each in fields(PixelMetrics)
        }
        joined = PreparedPairs(
            np.stack(images),
            np.concatenate(originals),
            np.concatenate(reconstructions),
            PixelMetrics(**metrics),
            [reason for part in parts for reason in part.uninformative],
        )
        return joined, list(rows)


def _read(reader: PairReader, pair: ReceivedPair | RejectedPair) -> tuple[RGBImage, RGBImage] | PairFailure:
    return pair.failure if isinstance(pair, RejectedPair) else reader.read_pair((pair.original, pair.reconstruction))
