"""Write ``examples/images``: photographs that everybody may use, and degraded copies of one.

    python -m examples.make_images

The photographs come with scikit-image; ``examples/images/README.md`` tells whose they are.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from semsim.images import RGBImage, decode

IMAGES = Path(__file__).parent / "images"

_FACE = np.s_[:, 75:375]
"""The square of the cat's photograph that its face fills."""
_CAT_SIZE, _COFFEE_SIZE = (160, 160), (192, 128)
_QUALITY = 90
_BLUR_RADIUS = 1.5
_NOISE_SIGMA = 60.0

_ATTACKED_SIDE = 64
_ATTACKED: dict[str, tuple[Callable[[], NDArray[np.uint8]], tuple[int, int, int]]] = {
    "astronaut/astronaut.png": (skimage.data.astronaut, (0, 0, 400)),
    "cat/chelsea.png": (skimage.data.chelsea, (75, 0, 300)),
    "cup/coffee.png": (skimage.data.coffee, (60, 0, 400)),
    "galaxies/hubble.png": (skimage.data.hubble_deep_field, (300, 250, 300)),
    "photographer/camera.png": (skimage.data.camera, (0, 0, 512)),
    "retina/retina.png": (skimage.data.retina, (0, 0, 1411)),
    "rocket/rocket.png": (skimage.data.rocket, (160, 110, 317)),
    "space shuttle/astronaut.png": (skimage.data.astronaut, (300, 60, 212)),
}
"""The originals of ``examples/photographs``: a photograph, and the left, the top and the side of the square cut from
it, in pixels."""


def main(folder: Path = IMAGES) -> None:
    """Write ``cat.jpg``, ``coffee.jpg``, ``cat_blurred.png``, ``cat_noise.png`` and the folder ``photographs``."""
    _shrink(skimage.data.chelsea()[_FACE], _CAT_SIZE, folder / "cat.jpg")
    _shrink(skimage.data.coffee(), _COFFEE_SIZE, folder / "coffee.jpg")
    cat = decode(folder / "cat.jpg")
    blurred = Image.fromarray(cat).filter(ImageFilter.GaussianBlur(_BLUR_RADIUS))
    blurred.save(folder / "cat_blurred.png", optimize=True)
    noise = np.random.default_rng(0).normal(0.0, _NOISE_SIGMA, cat.shape)
    noisy = np.clip(np.rint(cat + noise), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(folder / "cat_noise.png", optimize=True)
    for name, (photograph, (left, top, side)) in _ATTACKED.items():
        path = folder / "photographs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        square = Image.fromarray(photograph()).convert("RGB").crop((left, top, left + side, top + side))
        square.resize((_ATTACKED_SIDE,) * 2, Image.Resampling.LANCZOS).save(path, optimize=True)


def _shrink(photograph: RGBImage, size: tuple[int, int], path: Path) -> None:
    Image.fromarray(photograph).resize(size, Image.Resampling.LANCZOS).save(path, quality=_QUALITY)


if __name__ == "__main__":
    main()
