"""Many pairs cut into chunks, each of which is one request within the service's own limits."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from semsim.client.loading import LoadedImage, LoadedPair, Loader
from semsim.client.service_model import ServiceLimits
from semsim.images import DecodeLimits
from semsim.pairs import PairFailure

_PAIRS = 64
"""The most pairs of a chunk: more gain nothing, and a lost connection would lose more work."""
_BYTES = 8 * 2**20
"""The bytes of a chunk after which it takes no further pair."""
_MARGIN = 1024
"""The bytes that a pair may take in a request beside its images."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive pairs of one request, and the pairs between them that cannot be sent, by their places."""

    pairs: list[LoadedPair] = field(default_factory=list)
    failures: dict[int, PairFailure] = field(default_factory=dict)

    def halves(self) -> tuple["Chunk", "Chunk"]:
        """Two smaller chunks of its pairs."""
        middle = len(self.pairs) // 2
        return Chunk(self.pairs[:middle]), Chunk(self.pairs[middle:])


def cut(pairs: Iterable[Any], limits: ServiceLimits, of_images: DecodeLimits) -> Iterator[Chunk]:
    """Load ``pairs`` in their order, and yield them in chunks; only one chunk's images are held.

    A pair that is over the limits on its own has a chunk to itself.
    """
    loader, chunk, size, pixels = Loader(of_images), Chunk(), 0, 0
    most_pairs, most_bytes = min(limits.pairs, _PAIRS), min(limits.body_bytes, _BYTES)
    for index, pair in enumerate(pairs):
        loaded = loader.load(index, pair)
        if isinstance(loaded, PairFailure):
            chunk.failures[index] = loaded
            if len(chunk.failures) >= _PAIRS:
                yield chunk
                loader.forget()
                chunk, size, pixels = Chunk(), 0, 0
            continue
        images = loaded.original, loaded.reconstruction
        own_size = sum(image.size for image in images) + _MARGIN
        own_pixels = sum(_pixels(image, of_images) for image in images)
        is_full = len(chunk.pairs) == most_pairs or size + own_size > most_bytes
        if chunk.pairs and (is_full or pixels + own_pixels > limits.request_pixels):
            yield chunk
            loader.forget()
            chunk, size, pixels = Chunk(), 0, 0
        chunk.pairs.append(loaded)
        size, pixels = size + own_size, pixels + own_pixels
    yield chunk


def _pixels(image: LoadedImage, limits: DecodeLimits) -> int:
    """The pixels that an image counts for: those that a file may have where it is not decoded here."""
    if image.pixels is None:
        return limits.max_pixels
    return image.pixels.size // 3
