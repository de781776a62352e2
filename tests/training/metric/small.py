"""Judged reconstructions that a small network can learn, without a set on disk."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.judged.judged_set import Counts, JudgedSet
from semsim_training.judged.pair import pairs_of
from semsim_training.judged.sized_set import SizedSet
from semsim_training.metric.metric_recipe import MetricRecipe
from semsim_training.reconstructions.schema import ReconstructionRow
from tests.training.judged.made_up import MOST_NOISE, made_up_set


def judged(originals: int = 12, each: int = 4, size: int = 32, seed: int = 0) -> SizedSet:
    """Each original with ``each`` reconstructions, from little noise to much; three annotators judge each."""
    pairs = pairs_of(made_up_set(originals, each, size, seed))
    noise = np.tile(np.linspace(5, MOST_NOISE, each), originals)
    columns = JudgedSet(
        name="made-up",
        kind=AnnotatorKind.CLASSIFIER,
        items=tuple(pair.item for pair in pairs),
        settings=tuple(pair.row.setting for pair in pairs),
        originals=tuple(pair.original_name for pair in pairs),
        recognised=np.round(3 * (1 - noise / MOST_NOISE)).astype(np.int64),
        annotators=np.full(len(pairs), 3),
        pairs=pairs,
    )
    return SizedSet.of(columns, size)


def with_recognised(sized: SizedSet, recognised: Counts) -> SizedSet:
    """The set with other numbers of annotators who recognised."""
    return replace(sized, judged=replace(sized.judged, recognised=recognised))


def with_rows(sized: SizedSet, change: Callable[[ReconstructionRow], ReconstructionRow]) -> SizedSet:
    """The set with changed rows and the same pictures."""
    pairs = tuple(replace(pair, row=change(pair.row)) for pair in sized.judged.pairs)
    return replace(sized, judged=replace(sized.judged, pairs=pairs))


def recipe(**changed: object) -> MetricRecipe:
    """A recipe for a small network of timm."""
    fields: dict[str, object] = {
        "name": "small",
        "architecture": "test_resnet",
        "size": 32,
        "mean": (127, 127, 127),
        "std": (64, 64, 64),
        "batch": 4,
        "reconstructions": 4,
        "learning_rate": 1e-3,
        "epochs": 2,
    }
    return MetricRecipe.model_validate(fields | changed)
