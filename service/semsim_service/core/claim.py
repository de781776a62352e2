"""What a request says of itself before its pairs are read: enough to refuse it, or to see that it is little work."""

from dataclasses import dataclass

# Up to this many pixels (8 pairs of 64x64) cost less in the event loop than in a thread, since the array operations of
# threads take the interpreter from each other at each step.
_LITTLE_PIXELS = 2**16
FEW_PAIRS = 16
"""More pairs than this would hold up other requests in the event loop, however small their images."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is known cheaply; reading the pairs shows how much of it holds."""

    pairs: int = 1
    raw_pixels: int | None = None
    """Of all its images together, where all are raw and there is nothing to decode; None for any other request."""

    @property
    def is_little(self) -> bool:
        """Whether its pairs can be prepared in the event loop."""
        return self.raw_pixels is not None and self.pairs <= FEW_PAIRS and self.raw_pixels <= _LITTLE_PIXELS
