"""Compares recipes by cross-validation in which neither an original nor a setting is on both sides of a fold."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidOption
from semsim.progress import Progress, prefixed, silent
from semsim_training.configuration import FrozenModel
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.judged.sized_set import SizedSet
from semsim_training.metric.changes import copies_auc
from semsim_training.metric.embedding_distances import embed, majority_auc, measure
from semsim_training.metric.metric_recipe import MetricRecipe, MetricTraining
from semsim_training.metric.metric_training import train_metric
from semsim_training.metric.strangers import strangers_auc
from semsim_training.seeds import stable_hash


class Fold(FrozenModel):
    """The measure of a recipe on one fold."""

    auc: float
    """The AUC over reconstructions, against the majority of annotators."""
    strangers: float
    """See :func:`semsim_training.metric.strangers.strangers_auc`."""
    copies: float
    """See :func:`semsim_training.metric.changes.copies_auc`."""


class RecipeScore(FrozenModel):
    """The measure of a recipe on each fold."""

    recipe: str
    epochs: int
    folds: tuple[Fold, ...]

    @property
    def auc(self) -> float:
        """The mean AUC over folds."""
        return float(np.mean([fold.auc for fold in self.folds]))

    @property
    def strangers(self) -> float:
        """The mean of ``strangers`` over folds."""
        return float(np.mean([fold.strangers for fold in self.folds]))

    @property
    def copies(self) -> float:
        """The mean of ``copies`` over folds."""
        return float(np.mean([fold.copies for fold in self.folds]))

    @property
    def mean(self) -> float:
        """The mean of all three, by which recipes are ordered."""
        return (self.auc + self.strangers + self.copies) / 3


def folds_of(judged: JudgedSet, folds: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The fold of each reconstruction's original and of its setting, ``(N,)`` each.

    Fold k is trained on reconstructions of which neither is in fold k, and tested on those of which both are.
    """
    return _folds(judged.originals, folds), _folds(judged.settings, folds)


def _folds(names: tuple[str, ...], folds: int) -> NDArray[np.int64]:
    """The fold of each name, which is the same wherever the name comes."""
    ordered = sorted(set(names), key=lambda name: stable_hash(f"fold/{name}"))
    fold = {name: place % folds for place, name in enumerate(ordered)}
    return np.asarray([fold[name] for name in names])


@dataclass(frozen=True, slots=True)
class _Selection:
    """Everything that the training and the measure of all folds share."""

    seed: int
    folds: int
    base: Path
    out: Path
    progress: Progress
    device: str

    def measured(self, sized: SizedSet, recipe: MetricRecipe, fold: int) -> Fold:
        """Train ``recipe`` without one fold and measure it there; the result is kept and not made again."""
        path = self.out / f"{recipe.name}-{fold}.json"
        if path.exists():
            return Fold.model_validate_json(path.read_bytes())
        by_original, by_setting = folds_of(sized.judged, self.folds)
        test = sized.take((by_original == fold) & (by_setting == fold))
        network = train_metric(
            sized.take((by_original != fold) & (by_setting != fold)), None, recipe, self.seed,
            path.with_suffix(".jsonl"), base=self.base, device=self.device,
            progress=prefixed(self.progress, f"{recipe.name}, fold {fold + 1}"),
        )  # fmt: skip
        distances = measure(network, test)
        value = Fold(
            auc=round(majority_auc(test.judged, distances), 4),
            strangers=round(strangers_auc(distances, embed(network, test.originals), test), 4),
            copies=round(copies_auc(network, test, distances), 4),
        )
        path.write_text(value.model_dump_json() + "\n")
        return value


def select(
    training: MetricTraining,
    base: Path,
    out: Path,
    *,
    folds: int = 3,
    epochs: int | None = None,
    progress: Progress = silent,
    device: str = "cpu",
) -> tuple[RecipeScore, ...]:
    """Cross-validate every recipe on train and validation, best first; the test split is not read.

    Args:
        training: the configuration.
        base: the directory of the configuration.
        out: the directory of the results; those that are there are not made again.
        folds: the number of folds of originals, and of settings.
        epochs: in place of the recipes' numbers.
        progress: called after every step.
        device: ``cpu`` or ``cuda``.

    Raises:
        InvalidOption: fewer than two folds, or two recipes of one name.
    """
    names = [recipe.name for recipe in training.candidates]
    if folds < 2 or len(set(names)) < len(names):
        raise InvalidOption(f"expected at least two folds and recipes of different names, got {folds} and {names}")
    judged = training.judged.read(base).of_splits(("train", "validation"))
    selection = _Selection(training.seeds[0], folds, base, out, progress, device)
    scores = []
    for recipe in training.candidates:
        recipe = recipe.model_copy(update={"epochs": epochs or recipe.epochs})
        sized = SizedSet.of(judged, recipe.size)
        measured = tuple(selection.measured(sized, recipe, fold) for fold in range(folds))
        scores.append(RecipeScore(recipe=recipe.name, epochs=recipe.epochs, folds=measured))
    scores.sort(key=lambda score: -score.mean)
    (out / "selection.json").write_text(json.dumps([score.model_dump() for score in scores], indent=2) + "\n")
    return tuple(scores)
