"""The pairs that are identified: is a reconstruction this picture, or one of its kind?

Beside controls of one kind, photographs of faces, another person's photograph and a mean face must not be identified,
and a noisy copy must be. Beside the model's own controls, the committed reconstructions are measured by what annotators
saw in them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semsim.bulk.matching import find_images
from semsim.chance import FEWEST_CONTROLS, IDENTIFIED, ControlEmbeddings
from semsim.exceptions import InvalidConfiguration, InvalidDataset
from semsim.images import decode, resize_batch
from semsim.scorer import Scorer
from semsim_training.judged.judged_set import JudgedSet

DRAWS, FACES, NOISE = 10, 200, 40.0
_APART = 40
"""Photographs that are so far apart in Caltech-101's Faces, where those of a person follow each other, are of two
persons."""
_SIDE = 128

Embeddings = NDArray[np.float32]
Told = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class IdentifiedShare:
    """The share of pairs of one kind that are identified."""

    controls: str
    reconstruction: str
    """The reconstruction of the pairs, in words."""
    pairs: int
    share: float


def own_controls(scorer: Scorer) -> ControlEmbeddings:
    """The controls of a scorer.

    Raises:
        InvalidConfiguration: its artifact carries none.
    """
    if scorer.controls is None:
        raise InvalidConfiguration("expected a model with controls, got one without: semsim export-controls adds them")
    return scorer.controls


def measure_faces(scorer: Scorer, folder: Path) -> list[IdentifiedShare]:
    """The shares on photographs of faces in one folder, in the order of their names, 200 of which are the controls.

    Raises:
        InvalidDataset: there are fewer than 300 photographs.
        InvalidConfiguration: the model carries no controls, or they are copies of all originals.
    """
    images = [decode(folder / path) for path in find_images(folder)]
    if len(images) < FACES + FEWEST_CONTROLS:
        raise InvalidDataset(
            f"expected at least {FACES + FEWEST_CONTROLS} photographs below {folder}, got {len(images)}"
        )
    rng = np.random.default_rng(0)
    noisy = [np.clip(np.rint(image + rng.normal(0, NOISE, image.shape)), 0, 255).astype(np.uint8) for image in images]
    faces, small, copies = scorer.embed(images), resize_batch(images, _SIDE, _SIDE), scorer.embed(noisy)
    told: dict[tuple[str, str], list[Told]] = {}
    for _ in range(DRAWS):
        order = rng.permutation(len(images))
        chosen, rest = order[:FACES], order[FACES:]
        controls = ControlEmbeddings.of(faces[chosen], scorer.manifest.graph.sha256)
        mean = scorer.embed([np.rint(small[chosen].mean(axis=0)).astype(np.uint8)])
        one, other = rng.choice(rest, FACES), rng.choice(rest, FACES)
        one, other = one[np.abs(one - other) >= _APART], other[np.abs(one - other) >= _APART]
        faces_alone, every_kind = f"{FACES} faces", "the model's own"
        for beside, known, case, originals, made in (
            (faces_alone, controls, "another person's photograph", faces[one], faces[other]),
            (faces_alone, controls, "the mean face", faces[rest], np.repeat(mean, len(rest), axis=0)),
            (faces_alone, controls, f"a copy under noise of sigma {NOISE:.0f}", faces[rest], copies[rest]),
            (every_kind, own_controls(scorer), "another person's photograph", faces[one], faces[other]),
        ):
            told.setdefault((beside, case), []).append(_identified(known, originals, made))
    return [_share(beside, case, np.concatenate(parts)) for (beside, case), parts in told.items()]


def measure_judged(scorer: Scorer, judged: JudgedSet) -> list[IdentifiedShare]:
    """The shares on a judged set, beside the model's own controls.

    Raises:
        InvalidConfiguration: the model carries no controls, or they are copies of all originals.
    """
    controls = own_controls(scorer)
    originals = scorer.embed([pair.original() for pair in judged.pairs])
    made = scorer.embed([pair.reconstruction() for pair in judged.pairs])
    names, classes = np.array(judged.originals), np.array([pair.row.class_name for pair in judged.pairs])
    every, shuffled = np.arange(len(judged)), np.random.default_rng(0).permutation(len(judged))
    strangers = every[names != names[shuffled]]
    of_class, others = np.nonzero((classes[:, None] == classes) & (names[:, None] != names))
    cases: dict[str, tuple[NDArray[np.intp], NDArray[np.intp]]] = {
        "its own, every annotator names it": (every[judged.shares == 1], every[judged.shares == 1]),
        "its own, no annotator names it": (every[judged.shares == 0], every[judged.shares == 0]),
        "that of another image": (strangers, shuffled[strangers]),
        "that of another image of the class": (of_class, others),
    }
    return [
        _share(f"the model's own, {judged.name}", case, _identified(controls, originals[rows], made[of]))
        for case, (rows, of) in cases.items()
        if len(rows)
    ]


def identified_table(shares: Iterable[IdentifiedShare]) -> str:
    """The shares as a Markdown table."""
    rows = [f"| {one.controls} | {one.reconstruction} | {one.pairs} | {one.share:.1%} |" for one in shares]
    return "\n".join(("| controls | the reconstruction is | pairs | identified |", "|---|---|---|---|", *rows))


def _identified(controls: ControlEmbeddings, originals: Embeddings, made: Embeddings) -> Told:
    """True ``(M,)`` for pairs of embeddings that are identified, of the M of N pairs that have a chance."""
    rows = np.arange(len(originals))
    distances = np.linalg.norm(originals.astype(np.float64) - made, axis=1)
    chances = controls.chances(np.concatenate([originals, made]), rows, rows + len(rows), distances)
    told: Told = chances[~np.isnan(chances)] < IDENTIFIED
    return told


def _share(controls: str, case: str, told: Sequence[bool] | Told) -> IdentifiedShare:
    if not len(told):  # a share of none would read as one of 0
        raise InvalidConfiguration(f"expected controls that are no copies of the originals, got copies for: {case}")
    return IdentifiedShare(controls, case, len(told), float(np.mean(told)))
