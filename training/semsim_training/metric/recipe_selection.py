"""Choosing a recipe by cross-validation in which neither an original nor a setting is on both sides."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from semsim.exceptions import InvalidOption
from semsim_training.metric.changes import copies_auc
from semsim_training.metric.held_out_evaluation import strangers_auc
from semsim_training.metric.judged import JudgedReconstructions
from semsim_training.metric.metric_recipe import MetricRecipe, MetricTraining
from semsim_training.metric.metric_training import auc, embed, measure, train_metric
from semsim_training.progress import Progress, prefixed
from semsim_training.seeds import stable_hash


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fold(_Record):
    """What a recipe is worth on one fold."""

    auc: float
    """On reconstructions, against the majority of annotators."""
    strangers: float
    """See :func:`semsim_training.metric.held_out_evaluation.strangers_auc`."""
    copies: float
    """See :func:`semsim_training.metric.changes.copies_auc`."""


class RecipeScore(_Record):
    """What a recipe is worth on each fold."""

    recipe: str
    epochs: int
    folds: tuple[Fold, ...]

    @property
    def auc(self) -> float:
        """Mean over folds."""
        return float(np.mean([fold.auc for fold in self.folds]))

    @property
    def strangers(self) -> float:
        """Mean over folds."""
        return float(np.mean([fold.strangers for fold in self.folds]))

    @property
    def copies(self) -> float:
        """Mean over folds."""
        return float(np.mean([fold.copies for fold in self.folds]))

    @property
    def mean(self) -> float:
        """Of all three: what recipes are ordered by."""
        return (self.auc + self.strangers + self.copies) / 3


def folds_of(judged: JudgedReconstructions, folds: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The fold of each reconstruction's original and of its setting, ``(N,)`` each.

    Fold k is trained on what is in fold k by neither, and tested on what is in fold k by both.
    """
    images, settings = judged.values("image"), judged.values("setting")
    places = [
        {name: place % folds for place, name in enumerate(sorted(names, key=lambda name: stable_hash(f"fold/{name}")))}
        for names in (images, settings)
    ]
    return (
        np.asarray([places[0][origin.image] for origin in judged.origins]),
        np.asarray([places[1][origin.setting] for origin in judged.origins]),
    )


def select(
    training: MetricTraining,
    base: Path,
    out: Path,
    *,
    folds: int = 3,
    epochs: int | None = None,
    progress: Progress = lambda *_: None,
    device: str = "cpu",
) -> tuple[RecipeScore, ...]:
    """Cross-validate every recipe on train and validation, best first; the test split is not read.

    ``epochs`` replaces the recipes' numbers. What is done is kept in ``out`` and not done again.

    Raises:
        InvalidOption: fewer than two folds, or two recipes of one name.
    """
    names = [recipe.name for recipe in training.resolved]
    if folds < 2 or len(set(names)) < len(names):
        raise InvalidOption(f"expected at least two folds and recipes of different names, got {folds} and {names}")
    scores = []
    for recipe in training.resolved:
        recipe = recipe.model_copy(update={"epochs": epochs or recipe.epochs})
        judged = JudgedReconstructions.load(training.judged, base, recipe.size)
        judged = judged.take(judged.where(split=["train", "validation"]))
        found = [
            _fold(judged, recipe, training.seeds[0], fold, folds, out, base, progress, device) for fold in range(folds)
        ]
        scores.append(RecipeScore(recipe=recipe.name, epochs=recipe.epochs, folds=tuple(found)))
    scores.sort(key=lambda score: -score.mean)
    (out / "selection.json").write_text(json.dumps([score.model_dump() for score in scores], indent=2) + "\n")
    return tuple(scores)


def _fold(
    judged: JudgedReconstructions, recipe: MetricRecipe, seed: int, fold: int, folds: int, out: Path, base: Path,
    progress: Progress, device: str,
) -> Fold:  # fmt: skip
    done = out / f"{recipe.name}-{fold}.json"
    if done.exists():
        return Fold.model_validate_json(done.read_bytes())
    by_image, by_setting = folds_of(judged, folds)
    train = judged.take((by_image != fold) & (by_setting != fold))
    test = judged.take((by_image == fold) & (by_setting == fold))
    network = train_metric(
        train, None, recipe, seed, out / f"{recipe.name}-{fold}.jsonl", base=base, device=device,
        progress=prefixed(progress, f"{recipe.name}, fold {fold + 1}"),
    )  # fmt: skip
    found = measure(network, test)
    strangers = strangers_auc(found, embed(network, test.originals), test)
    copies = copies_auc(network, test, found)
    value = Fold(auc=round(auc(test, found), 4), strangers=round(strangers, 4), copies=round(copies, 4))
    done.write_text(value.model_dump_json() + "\n")
    return value
