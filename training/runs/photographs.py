"""Parts of photographs that everybody may use, as small images in a folder for each photograph.

    python training/runs/photographs.py OUT --count 24 --size 32

The photographs come with scikit-image: a cat (Stéfan van der Walt) and coffee (Rachel Michetti), both CC0, and a rocket
(SpaceX), in the public domain.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

PHOTOGRAPHS = {"cat": data.chelsea, "coffee": data.coffee, "rocket": data.rocket}


def main() -> None:
    """Write random parts of each photograph."""
    parser = argparse.ArgumentParser(description="Small images of photographs that everybody may use.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=24, help="images of each photograph")
    parser.add_argument("--size", type=int, default=32, help="side in pixels")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    for name, photograph in PHOTOGRAPHS.items():
        picture = Image.fromarray(photograph())
        folder = arguments.out / name
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(arguments.count):
            side = int(rng.integers(min(picture.size) // 2, min(picture.size)))
            left, top = (int(rng.integers(length - side)) for length in picture.size)
            part = picture.resize((arguments.size,) * 2, Image.Resampling.LANCZOS, (left, top, left + side, top + side))
            part.save(folder / f"{arguments.seed}-{index:03}.png", optimize=True)


if __name__ == "__main__":
    main()
