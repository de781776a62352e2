"""Write ``examples/images``: two photographs that everybody may use, and degraded copies of the first.

    python -m examples.make_images

The photographs come with scikit-image; ``examples/images/README.md`` tells whose they are.
"""

from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageFilter

from semsim.images import RGBImage, decode

IMAGES = Path(__file__).parent / "images"

_FACE = np.s_[:, 75:375]
"""The square of the cat's photograph that its face fills."""
_CAT_SIZE, _COFFEE_SIZE = (160, 160), (192, 128)
_QUALITY = 90
_BLUR_RADIUS = 1.5
_NOISE_SIGMA = 60.0


def main(folder: Path = IMAGES) -> None:
    """Write ``cat.jpg``, ``coffee.jpg``, ``cat_blurred.png`` and ``cat_noise.png``."""
    _shrink(skimage.data.chelsea()[_FACE], _CAT_SIZE, folder / "cat.jpg")
    _shrink(skimage.data.coffee(), _COFFEE_SIZE, folder / "coffee.jpg")
    cat = decode(folder / "cat.jpg")
    blurred = Image.fromarray(cat).filter(ImageFilter.GaussianBlur(_BLUR_RADIUS))
    blurred.save(folder / "cat_blurred.png", optimize=True)
    noise = np.random.default_rng(0).normal(0.0, _NOISE_SIGMA, cat.shape)
    noisy = np.clip(np.rint(cat + noise), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(folder / "cat_noise.png", optimize=True)


def _shrink(photograph: RGBImage, size: tuple[int, int], path: Path) -> None:
    Image.fromarray(photograph).resize(size, Image.Resampling.LANCZOS).save(path, quality=_QUALITY)


if __name__ == "__main__":
    main()
