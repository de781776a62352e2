"""The claim of a request about itself, known before its pairs are read.

It is enough to refuse the request, or to see that the request is little work.
"""

from dataclasses import dataclass

# Up to this many pixels (8 pairs of 64x64) cost less in the event loop than in a thread, since the array operations in
# threads take the interpreter from each other at each step.
_LITTLE_PIXELS = 2**16
FEW_PAIRS = 16
"""More pairs than this would hold up other requests in the event loop, however small their images."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The number of pairs and of pixels that a request seems to have, as far as a cheap look tells."""

    pairs: int = 1
    raw_pixels: int | None = None
    """The pixels of all its images, where every image is raw and nothing needs decoding. None for any other request."""

    @property
    def is_little(self) -> bool:
        """True where the pairs can be prepared in the event loop."""
        return self.raw_pixels is not None and self.pairs <= FEW_PAIRS and self.raw_pixels <= _LITTLE_PIXELS
