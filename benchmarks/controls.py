"""The pairs that are identified: is it this picture, or one of its kind?

    python -m benchmarks.controls [--write FILE]

Each case is judged by the rule, which compares embeddings, and by the rule that an audit uses for many reconstructions,
which looks at edges, too. The second would need small pictures of the controls in the artifact.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.reports import options, publish, table
from semsim.chance import IDENTIFIED, ControlEmbeddings, chance_of
from semsim.controls import Portraits
from semsim.images import RGBImage, decode, resize_batch
from semsim.scorer import Scorer
from semsim_export.control_export import ControlOptions, control_images
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet

SETS = ("cifar10", "cifar10-many", "caltech101", "caltech101-many")
DRAWS, FACES, NOISE = 10, 200, 40.0
APART = 40
"""Photographs that are so far apart in Faces, where those of a person follow each other, are of two persons."""


def main() -> None:
    """Print the table; with ``--write`` keep it in a page."""
    arguments = options(__doc__, "controls", images=True).parse_args()
    scorer = Scorer()
    head = ["controls", "the reconstruction is", "pairs", "identified", "identified with edges"]
    rows = [*_faces(scorer, arguments.data), *_bundled(scorer, arguments.data)]
    publish(table(head, rows), "controls", arguments.write)


def _faces(scorer: Scorer, data: Path) -> Iterator[list[object]]:
    """The rows of Caltech-101's Faces, 200 of which are the controls."""
    images = [decode(path) for path in sorted((data / "caltech101" / "Faces").glob("*.jpg"))]
    photographs = Portraits.of(scorer, images)
    noisy = Portraits.of(scorer, [_noisy(image, seed) for seed, image in enumerate(images)])
    small = resize_batch(images, 128, 128)
    cases: dict[str, list[NDArray[np.bool_]]] = {}
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        order = rng.permutation(len(images))
        chosen, rest = order[:FACES], order[FACES:]
        controls = photographs.take(chosen)
        one, other = rng.choice(rest, FACES), rng.choice(rest, FACES)
        apart = np.abs(one - other) >= APART
        mean = Portraits.of(scorer, [np.rint(small[chosen].mean(axis=0)).astype(np.uint8)])
        for case, original, reconstruction in (
            ("another person's photograph", photographs.take(one[apart]), photographs.take(other[apart])),
            ("the mean of the controls' faces", photographs.take(rest), mean.take(np.zeros(len(rest), dtype=np.intp))),
            (f"a copy under noise of sigma {NOISE:.0f}", photographs.take(rest), noisy.take(rest)),
        ):
            cases.setdefault(case, []).append(_identified(scorer, controls, original, reconstruction))
    for case, told in cases.items():
        yield [f"{FACES} of Faces", case, *_shares(np.concatenate(told, axis=1))]
    order = np.random.default_rng(0).permutation(len(images))
    apart = np.abs(order - order[::-1]) >= APART
    known = _bundled_controls(scorer)
    told = _identified(scorer, known, photographs.take(order[apart]), photographs.take(order[::-1][apart]))
    yield ["the model's own", "another person's photograph of Faces", *_shares(told)]


def _bundled(scorer: Scorer, data: Path) -> Iterator[list[object]]:
    """The rows of the committed sets' test split, beside the controls of the bundled artifact."""
    controls = _bundled_controls(scorer)
    for name in SETS:
        judged = JudgedSet.read(
            ReconstructionSet.read(Path("datasets") / name), data / "votes" / "vision-1", AnnotatorKind.VISION_MODEL
        ).of_splits(("test",))
        originals = Portraits.of(scorer, [pair.original() for pair in judged.pairs])
        made = Portraits.of(scorer, [pair.reconstruction() for pair in judged.pairs])
        names, classes = np.array(judged.originals), np.array([pair.row.class_name for pair in judged.pairs])
        rng = np.random.default_rng(0)
        every = np.arange(len(judged))
        shuffled = rng.permutation(len(judged))
        strangers = every[names != names[shuffled]]
        alike = np.argwhere((classes[:, None] == classes) & (names[:, None] != names))
        alike = alike[rng.permutation(len(alike))[:600]]
        for case, rows, others in (
            ("its own, all 3 lookers name it", every[judged.shares == 1], every[judged.shares == 1]),
            ("its own, no looker names it", every[judged.shares == 0], every[judged.shares == 0]),
            ("that of another image", strangers, shuffled[strangers]),
            ("that of another image of the class", alike[:, 0], alike[:, 1]),
        ):
            told = _identified(scorer, controls, originals.take(rows), made.take(others))
            yield [f"the model's own, {name}", case, *_shares(told)]


def _bundled_controls(scorer: Scorer) -> Portraits:
    """The portraits of the images that the artifact's controls are embeddings of."""
    sets = [ReconstructionSet.read(Path("datasets") / name) for name in SETS]
    known = Portraits.of(scorer, [image for _, image in control_images(sets, ControlOptions())])
    stored = scorer.controls.embeddings if scorer.controls is not None else np.zeros((0, 0))
    return known.take(np.flatnonzero((known.embeddings @ stored.T).max(axis=1) > 0.999))


def _identified(
    scorer: Scorer, controls: Portraits, originals: Portraits, reconstructions: Portraits
) -> NDArray[np.bool_]:
    """True ``(2, N)`` for pairs that are identified, by embeddings and by embeddings with edges."""
    count = len(originals)
    rows = np.arange(2 * count)
    both = np.concatenate([originals.embeddings, reconstructions.embeddings]).astype(np.float32)
    distances = np.linalg.norm(originals.embeddings - reconstructions.embeddings, axis=1)
    known = ControlEmbeddings(controls.embeddings.astype(np.float32), scorer.manifest.graph.sha256)
    chances = known.chances(both, rows[:count], rows[count:], distances)
    likeness = controls.likeness(reconstructions)
    likeness_of_original = (originals.edges * reconstructions.edges).sum(axis=1) - 0.5 * distances
    with_edges = chance_of((likeness >= likeness_of_original).sum(axis=0), len(controls))
    return np.stack([chances < IDENTIFIED, with_edges < IDENTIFIED])


def _shares(told: NDArray[np.bool_]) -> list[object]:
    return [told.shape[1], *(f"{share:.1%}" for share in told.mean(axis=1))]


def _noisy(image: RGBImage, seed: int) -> RGBImage:
    noise = np.random.default_rng(seed).normal(0.0, NOISE, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
