"""The claim of a request about itself, known before its pairs are read.

It is enough to refuse the request, or to see that the request is little work.
"""

from dataclasses import dataclass

LITTLE_PIXELS = 2**16
"""The pixels of all images of a request that is little work: 8 pairs of 64x64. It is scored together with others."""
FEW_PAIRS = 16
"""More pairs than this would hold up other requests, however small their images."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The number of pairs and of pixels that a request seems to have, as far as a cheap look tells."""

    pairs: int = 1
    raw_pixels: int | None = None
    """The pixels of all its images, where every image is raw and nothing needs decoding. None for any other request."""

    @property
    def is_little(self) -> bool:
        """True where the pairs need no decoding, and are little work."""
        return self.raw_pixels is not None and self.pairs <= FEW_PAIRS and self.raw_pixels <= LITTLE_PIXELS
