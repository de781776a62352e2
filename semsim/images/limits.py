"""The limits of one image."""

from dataclasses import dataclass

from semsim.exceptions import EmptyImage, TooManyBytes, TooManyPixels


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """The limits of one image. They are checked before any pixel is decoded."""

    max_bytes: int = 16 * 2**20
    """The limit of the encoded image, bytes."""
    max_pixels: int = 4096 * 4096
    """The limit of width x height after decoding, pixels."""

    def require_bytes(self, size: int) -> None:
        """Refuse an encoded image of more than ``max_bytes``."""
        if size > self.max_bytes:
            raise TooManyBytes(f"expected at most {self.max_bytes} bytes an image, got {size}")

    def require_size(self, width: int, height: int) -> None:
        """Refuse an image without pixels, and one of more than ``max_pixels``."""
        if width < 1 or height < 1:
            raise EmptyImage(f"expected at least 1x1 pixels, got {width}x{height}")
        if width * height > self.max_pixels:
            raise TooManyPixels(
                f"expected at most {self.max_pixels} pixels an image, got {width}x{height} = {width * height}"
            )

    def require_profile(self, size: int) -> None:
        """Refuse a colour profile of so many bytes; here none is. Whoever wants a picture to be little work may."""

    def require_lossless(self, width: int, height: int) -> None:
        """Refuse a lossless WebP of such a size; here none is. It may have a set of codes for each 16 of its pixels."""


DEFAULT_LIMITS = DecodeLimits()
