"""Pictures made from seeds, each unlike any other, with a mark by which its bytes can be found again."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RGBImage = NDArray[np.uint8]
"""uint8 ``(H, W, 3)``."""

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
