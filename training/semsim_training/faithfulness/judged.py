"""Studies from a reconstruction set and the table of judgements of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.items import SPLITS, item_identifier
from semsim_training.annotation.judgements import AnnotatorKind, read
from semsim_training.annotation.shares import Share, recognised_shares
from semsim_training.faithfulness.study import Metric, Study
from semsim_training.reconstructions.dataset import DatasetDescription, read_set

_COLUMNS = ("setting", "image", "split", "status", "original", "reconstruction")


@dataclass(frozen=True, slots=True)
class Pair:
    """A reconstruction beside its original. Private, like every original."""

    item: str
    """As annotators know it."""
    setting: str
    image: str
    """Name of the original."""
    split: str
    original: bytes
    """PNG."""
    reconstruction: bytes


def read_pairs(dataset: Path) -> tuple[Pair, ...]:
    """The reconstructions of the finished set in ``dataset``; diverged attacks made none.

    Raises:
        InvalidDataset: no finished set there.
    """
    name = DatasetDescription.read(dataset).name
    return tuple(
        Pair(
            item_identifier(name, row["setting"], row["image"]),
            row["setting"],
            row["image"],
            row["split"],
            row["original"],
            row["reconstruction"],
        )
        for row in read_set(dataset, columns=_COLUMNS).to_pylist()
        if row["status"] == "done"
    )


def read_judgements(judgements: Path, dataset: str, kind: AnnotatorKind) -> dict[str, Share]:
    """The votes of annotators of one kind on the items of ``dataset``: reconstructions, the first time they were shown.

    Raises:
        InvalidAnnotations: no such judgements, or a file that is not of the table.
    """
    found = recognised_shares((one for one in read(judgements) if one.dataset == dataset), kind)
    if not found:
        raise InvalidAnnotations(
            f"expected judgements of {dataset} by annotators of kind {kind} in {judgements}, got none"
        )
    return found


def judged_pairs(
    pairs: Collection[Pair], votes: Mapping[str, Share], splits: Collection[str] = SPLITS
) -> tuple[Pair, ...]:
    """Those of all ``pairs`` of a set that somebody judged, in some splits.

    Raises:
        InvalidAnnotations: judgements of something else, or none of these splits.
    """
    strangers = set(votes) - {pair.item for pair in pairs}
    if strangers:
        raise InvalidAnnotations(
            f"expected judgements of reconstructions in the set, got {len(strangers)} others, such as {min(strangers)}"
        )
    judged = tuple(pair for pair in pairs if pair.item in votes and pair.split in splits)
    if not judged:
        raise InvalidAnnotations(f"expected judged reconstructions of {', '.join(splits)}, got none")
    return judged


def study_of(
    name: str, kind: AnnotatorKind, pairs: Collection[Pair], votes: Mapping[str, Share], metrics: tuple[Metric, ...]
) -> Study:
    """The study of judged pairs, with metric values in their order.

    Raises:
        InvalidDataset: the metric values are no study's.
    """
    own = [votes[pair.item] for pair in pairs]
    return Study(
        name=name,
        judged_by=kind,
        items=tuple(pair.item for pair in pairs),
        settings=tuple(pair.setting for pair in pairs),
        originals=tuple(pair.image for pair in pairs),
        recognised=np.array([one.recognised for one in own], dtype=np.int64),
        judges=np.array([one.judged for one in own], dtype=np.int64),
        metrics=metrics,
    )
