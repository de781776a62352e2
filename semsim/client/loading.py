"""Pairs of any kind of image before they are sent: small files are decoded here, large ones go as they are."""

import io
import os
from dataclasses import dataclass
from typing import Any

from PIL import Image

from semsim.exceptions import InvalidImage
from semsim.images import DecodeLimits, RGBImage, decode
from semsim.images.decode import read_file
from semsim.pairs import PairFailure, decode_pairs, is_pair, require_scorable, source_key

_SMALL_FILE = 2**15
"""The bytes of a file up to which it is decoded here: the raw form of small pictures takes the service least work."""
_RAW_SIZE = 2**18
"""The bytes of a file's pixels up to which they are sent in its place: 295x295 pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedImage:
    """An image that can be sent: its file's bytes, its pixels, or both."""

    encoded: bytes | None
    pixels: RGBImage | None

    @property
    def size(self) -> int:
        """The bytes that it takes at most in a request."""
        return max(len(self.encoded or b""), 0 if self.pixels is None else self.pixels.nbytes)

    @property
    def raw(self) -> RGBImage | None:
        """Its pixels, where they are sent rather than its file."""
        has_file = self.encoded is not None and self.pixels is not None and self.pixels.nbytes > _RAW_SIZE
        return None if has_file else self.pixels

    def file(self) -> bytes:
        """The bytes of a file that holds it: its own one, or a PNG of its pixels."""
        if self.encoded is not None or self.pixels is None:
            return self.encoded or b""
        buffer = io.BytesIO()
        Image.fromarray(self.pixels).save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class LoadedPair:
    """A pair that can be sent, and its place among the given pairs."""

    index: int
    original: LoadedImage
    reconstruction: LoadedImage


class Loader:
    """Loads pairs; a source that is given again (one original with many reconstructions) is loaded once."""

    def __init__(self, limits: DecodeLimits) -> None:
        self._limits = limits
        # The source is held, too: while it lives, nothing else has its address, which may be its key.
        self._loaded: dict[object, tuple[object, LoadedImage | InvalidImage]] = {}

    def forget(self) -> None:
        """Let go of all images."""
        self._loaded.clear()

    def load(self, index: int, pair: Any) -> LoadedPair | PairFailure:
        """The pair at a place, or the reason why it is none: that which :func:`semsim.pairs.decode_pairs` gives."""
        if not is_pair(pair):
            return decode_pairs([pair], limits=self._limits).failures[0]
        images = []
        for name, source in zip(("original", "reconstruction"), pair, strict=True):
            image = self._load_once(source)
            if isinstance(image, InvalidImage):
                return PairFailure(image.code, f"{name}: {image}")
            images.append(image)
        original, reconstruction = images
        if original.pixels is not None and reconstruction.pixels is not None:
            decoded = decode_pairs([(original.pixels, reconstruction.pixels)], limits=self._limits)
            if decoded.failures:
                return decoded.failures[0]
        return LoadedPair(index, original, reconstruction)

    def _load_once(self, source: Any) -> LoadedImage | InvalidImage:
        key = source_key(source)
        if key not in self._loaded:
            outcome: LoadedImage | InvalidImage
            try:
                outcome = load_image(source, self._limits)
            except InvalidImage as error:
                outcome = error.with_traceback(None)  # a traceback would hold the image
            self._loaded[key] = source, outcome
        return self._loaded[key][1]


def load_image(source: Any, limits: DecodeLimits) -> LoadedImage:
    """Load a path, encoded bytes, an image of Pillow, a uint8 array or a uint8 tensor.

    A file of at most 32 KiB is decoded and so checked here; the service checks larger ones.

    Raises:
        InvalidImage: the source is none of these, cannot be read, or is over a limit.
    """
    if isinstance(source, str | os.PathLike):
        source = read_file(source, limits)
    if isinstance(source, bytes | bytearray | memoryview):
        encoded = bytes(source)
        if len(encoded) > _SMALL_FILE:
            limits.require_bytes(len(encoded))
            return LoadedImage(encoded, None)
        return LoadedImage(encoded, require_scorable(decode(encoded, limits=limits)))
    return LoadedImage(None, require_scorable(decode(source, limits=limits)))
