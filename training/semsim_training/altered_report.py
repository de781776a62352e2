"""How often audits take unrelated images for reordered or moved ones, and which altered copies they see.

python -m semsim_training.altered_report DATA [--write FILE]
"""

from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from semsim.controls import Portraits
from semsim.images import RGBImage
from semsim.scorer import PairScore, Scorer
from semsim.uninformative import SmallCopies, Uninformative, moves_of
from semsim_training.client_images.source import ImageSource
from semsim_training.markdown import records_table, write_between
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet

BATCHES, DRAWS = (8, 32), 50
SETS = {
    "cifar10": ("cifar10-many", "cifar10-trained-defended"),
    "caltech101": ("caltech101-many", "caltech101-trained"),
}
"""Images, and the committed sets of others' reconstructions."""


def main() -> None:
    """Print the table; with ``--write`` keep it in a page."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of real images, SEMSIM_DATA")
    parser.add_argument("--write", type=Path, help="a Markdown page with <!-- federation-doubts --> marks")
    arguments = parser.parse_args()
    scorer = Scorer(controls=False)
    sources = {
        "cifar10": ImageSource(folder=arguments.data / "cifar10" / "test", name="cifar10", size=32),
        "caltech101": ImageSource(folder=arguments.data / "caltech101", size=64, test_share=0.3, split="test"),
    }
    text = records_table([row for name, source in sources.items() for row in _rows(scorer, name, source)])
    print(text)
    if arguments.write is not None:
        write_between(arguments.write, "federation-doubts", text)


def _rows(scorer: Scorer, name: str, source: ImageSource) -> Iterator[dict[str, object]]:
    rng = np.random.default_rng(0)
    images = source.load().images
    images = images[rng.permutation(len(images))[:2000]]
    held, strangers = list(images[:1000]), [_blurred(image) for image in images[1000:]]
    others = {"other images, blurred": strangers} | {f"`{one}`": _reconstructions(one, rng) for one in SETS[name]}
    for kind, made in others.items():
        row: dict[str, object] = {"images": name, "beside": kind}
        for batch in BATCHES:
            draws = [_drawn(rng, batch, held, made) for _ in range(DRAWS)]
            doubted = np.array([_doubted(scorer, *draw) for draw in draws])
            row |= {
                f"images doubted, of {batch}": f"{doubted.mean():.2%}",
                f"batches, of {batch}": f"{doubted.any(axis=1).mean():.0%}",
            }
        draws = [_drawn(rng, BATCHES[-1], held, made) for _ in range(DRAWS // 5)]
        for what, alter in ALTERED.items():
            seen = [_doubted(scorer, mine, [alter(_blurred(one)) for one in mine] + rest) for mine, rest in draws]
            row[what] = f"{np.mean(seen):.0%}"
        yield row


def _drawn(
    rng: np.random.Generator, count: int, held: list[RGBImage], made: list[RGBImage]
) -> tuple[list[RGBImage], list[RGBImage]]:
    some = [rng.choice(len(of), count, replace=False) for of in (held, made)]
    return [held[i] for i in some[0]], [made[i] for i in some[1]]


def _doubted(scorer: Scorer, originals: list[RGBImage], made: list[RGBImage]) -> NDArray[np.bool_]:
    """The originals, ``(N,)``, that an audit calls reordered or moved, in any reconstruction or the most alike one."""
    spec = scorer.manifest.input
    copies = [SmallCopies.of(images, spec.height, spec.width, spec.filter) for images in (originals, made)]
    portraits = [Portraits.of(scorer, images) for images in (originals, made)]
    altered = copies[0].altered(copies[1], portraits[0].distances(portraits[1]), moves_of(len(made))).any(axis=1)
    nearest = portraits[0].likeness(portraits[1]).argmax(axis=1)
    scores = scorer.score_pairs([(one, made[at]) for one, at in zip(originals, nearest, strict=True)])
    reasons = [score.uninformative if isinstance(score, PairScore) else None for score in scores]
    return np.asarray(altered | np.array([why in (Uninformative.REORDERED, Uninformative.MOVED) for why in reasons]))


def _reconstructions(name: str, rng: np.random.Generator) -> list[RGBImage]:
    kept = ReconstructionSet.read(Path("datasets") / name)
    rows = [row for row in kept.rows if row.done]
    return [kept.reconstruction(rows[i]) for i in rng.permutation(len(rows))[:1000]]


def _blurred(image: RGBImage) -> RGBImage:
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(0.8)))


def _moved(image: RGBImage, down: bool) -> RGBImage:
    """A copy moved right, and perhaps down, by a quarter, with grey behind."""
    behind, by = np.full_like(image, 128), len(image) // 4
    under = by * down
    behind[under:, by:] = image[: len(image) - under, :-by]
    return behind


ALTERED: dict[str, Callable[[RGBImage], RGBImage]] = {
    "mirrored": lambda image: image[:, ::-1],
    "turned": lambda image: np.rot90(image),
    "inverted": lambda image: np.asarray(255 - image, dtype=np.uint8),
    "moved right": lambda image: _moved(image, down=False),
    "moved right and down": lambda image: _moved(image, down=True),
}


if __name__ == "__main__":
    main()
