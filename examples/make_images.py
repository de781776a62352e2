"""Write ``examples/images``: two photographs, and degraded copies of the first.

    python -m examples.make_images CALTECH101_DIRECTORY

The photographs are from Caltech-101 (Li, Andreeto, Ranzato and Perona, 2022; CC BY 4.0), unchanged.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from semsim.images import decode

IMAGES = Path(__file__).parent / "images"
PHOTOGRAPHS = {"dog.jpg": "dalmatian/image_0007.jpg", "sunflower.jpg": "sunflower/image_0005.jpg"}

_BLUR_RADIUS = 1.5
_NOISE_SIGMA = 60.0


def main(caltech101: Path) -> None:
    """Copy the photographs, and write ``dog_blurred.png`` and ``dog_noise.png``."""
    IMAGES.mkdir(exist_ok=True)
    for name, source in PHOTOGRAPHS.items():
        shutil.copyfile(caltech101 / source, IMAGES / name)
    dog = decode(IMAGES / "dog.jpg")
    blurred = Image.fromarray(dog).filter(ImageFilter.GaussianBlur(_BLUR_RADIUS))
    blurred.save(IMAGES / "dog_blurred.png", optimize=True)
    noise = np.random.default_rng(0).normal(0.0, _NOISE_SIGMA, dog.shape)
    noisy = np.clip(np.rint(dog + noise), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(IMAGES / "dog_noise.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
