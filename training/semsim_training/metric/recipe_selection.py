"""Compares recipes by cross-validation in which neither an original nor a setting is on both sides of a fold."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim.progress import Progress, prefixed, silent
from semsim_training.configuration import FrozenModel
from semsim_training.faithfulness.evaluate import figure_of
from semsim_training.faithfulness.metric_values import Direction, Metric
from semsim_training.faithfulness.report import Figure
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.judged.sized_set import SizedSet
from semsim_training.metric.changes import MIRRORED, MOVED, called_recognised, copies_auc
from semsim_training.metric.embedding_distances import embed, majority_auc, measure
from semsim_training.metric.metric_comparison import DRAWS, SEED, TRAINED, auc_draws
from semsim_training.metric.metric_recipe import MetricRecipe, MetricTraining
from semsim_training.metric.metric_training import train_metric
from semsim_training.metric.strangers import strangers_auc
from semsim_training.seeds import stable_hash
from semsim_training.statistics.bootstrap import Draws
from semsim_training.statistics.intervals import Floats

SELECTION_FILE = "selection.json"


class Fold(FrozenModel):
    """The measure of a recipe on one fold."""

    auc: float
    """The AUC over reconstructions, against the majority of annotators."""
    strangers: float
    """See :func:`semsim_training.metric.strangers.strangers_auc`."""
    copies: float
    """See :func:`semsim_training.metric.changes.copies_auc`."""
    moved: float
    """The share of originals that are called recognised when they are moved by a quarter of their width. See
    :func:`semsim_training.metric.changes.called_recognised`."""
    mirrored: float
    """The share of originals that are called recognised when they are mirrored."""
    draws: tuple[float | None, ...] = ()
    """``auc`` of all and in each draw of the fold's originals, ``(1 + R,)``; ``None`` where a draw has no AUC. Files of
    earlier versions hold none."""


class RecipeScore(FrozenModel):
    """The measure of a recipe on each fold."""

    recipe: str
    epochs: int
    folds: tuple[Fold, ...]
    gain: Figure | None = None
    """The lead in AUC over the first recipe of the configuration, over the same draws; ``None`` for that recipe."""

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
    def moved(self) -> float:
        """The mean of ``moved`` over folds."""
        return float(np.mean([fold.moved for fold in self.folds]))

    @property
    def mirrored(self) -> float:
        """The mean of ``mirrored`` over folds."""
        return float(np.mean([fold.mirrored for fold in self.folds]))

    @property
    def mean(self) -> float:
        """The mean of ``auc``, ``strangers`` and ``copies``, by which recipes are ordered."""
        return (self.auc + self.strangers + self.copies) / 3

    @property
    def auc_draws(self) -> Floats:
        """The mean AUC over folds of all and in each draw, ``(1 + R,)``; empty where a fold kept no draws."""
        length = min(len(fold.draws) for fold in self.folds)
        drawn: Floats = np.array([fold.draws[:length] for fold in self.folds], dtype=np.float64).mean(axis=0)
        return drawn

    def beside(self, first: "RecipeScore") -> "RecipeScore":
        """The score with its lead over ``first``, where both have draws."""
        if first.recipe == self.recipe or not len(self.auc_draws) or not len(first.auc_draws):
            return self
        return self.model_copy(update={"gain": figure_of(self.auc_draws - first.auc_draws)})


def read_selection(directory: Path) -> tuple[RecipeScore, ...]:
    """The scores of a finished comparison of recipes, best first.

    Raises:
        InvalidAnnotations: there is none.
    """
    path = directory / SELECTION_FILE
    if not path.exists():
        raise InvalidAnnotations(f"expected a comparison of recipes at {path}, got nothing")
    return tuple(RecipeScore.model_validate(one) for one in json.loads(path.read_bytes()))


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
        path = self.out / f"{recipe.name}-{fold}-of-{self.folds}.json"
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
            moved=round(called_recognised(network, test, distances, MOVED), 4),
            mirrored=round(called_recognised(network, test, distances, MIRRORED), 4),
            draws=_drawn(test.judged, distances),
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
    only: Sequence[str] = (),
    progress: Progress = silent,
    device: str = "cpu",
) -> tuple[RecipeScore, ...]:
    """Cross-validate every recipe on train and validation, best first; the test split is not read.

    ``selection.json`` is written where no recipe is left out. Several processes can thus share ``out``, each with other
    recipes, before a last one gathers all.

    Args:
        training: the configuration.
        base: the directory of the configuration.
        out: the directory of the results; those that are there are not made again.
        folds: the number of folds of originals, and of settings.
        epochs: in place of the recipes' numbers.
        only: the names of the recipes to measure; none means all.
        progress: called after every step.
        device: ``cpu`` or ``cuda``.

    Raises:
        InvalidOption: fewer than two folds, two recipes of one name, or a name of no recipe.
    """
    names = [recipe.name for recipe in training.candidates]
    if folds < 2 or len(set(names)) < len(names):
        raise InvalidOption(f"expected at least two folds and recipes of different names, got {folds} and {names}")
    unknown = [name for name in only if name not in names]
    if unknown:
        raise InvalidOption(f"expected recipes {', '.join(names)}, got {unknown[0]}")
    judged = training.judged.read(base).of_splits(("train", "validation"))
    selection = _Selection(training.seeds[0], folds, base, out, progress, device)
    scores = []
    for recipe in (one for one in training.candidates if not only or one.name in only):
        recipe = recipe.model_copy(update={"epochs": epochs or recipe.epochs})
        sized = SizedSet.of(judged, recipe.size)
        measured = tuple(selection.measured(sized, recipe, fold) for fold in range(folds))
        scores.append(RecipeScore(recipe=recipe.name, epochs=recipe.epochs, folds=measured))
    first = next((score for score in scores if score.recipe == names[0]), None)
    scores = sorted((score.beside(first) if first else score for score in scores), key=lambda score: -score.mean)
    if not only:
        kept = [score.model_dump(exclude={"folds": {"__all__": {"draws"}}}) for score in scores]
        (out / SELECTION_FILE).write_text(json.dumps(kept, indent=2) + "\n")
    return tuple(scores)


def _drawn(judged: JudgedSet, distances: Floats) -> tuple[float | None, ...]:
    drawn = auc_draws(judged, Metric(TRAINED, Direction.DOWN, distances), Draws.of(judged.originals, DRAWS, SEED))
    return tuple(round(float(value), 4) if np.isfinite(value) else None for value in drawn)
