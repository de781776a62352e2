"""Leaves one attack, one family of victims, one data set out of training, and measures the metric there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from semsim.exceptions import InvalidAnnotations
from semsim.progress import Progress, prefixed, silent
from semsim_training.configuration import Description
from semsim_training.faithfulness.metric_values import Metric
from semsim_training.judged.judged_set import FEWEST_OF_A_KIND, JudgedSet, Mask
from semsim_training.judged.sized_set import SizedSet
from semsim_training.metric.embedding_distances import measure
from semsim_training.metric.metric_comparison import TRAINED, Comparison, compare_metrics
from semsim_training.metric.metric_recipe import MetricRecipe, MetricTraining
from semsim_training.metric.metric_training import train_metric
from semsim_training.metric.victim_families import family_of
from semsim_training.reconstructions.schema import ReconstructionRow

Field = Literal["attack", "victim", "dataset"]
FIELDS: tuple[Field, ...] = ("attack", "victim", "dataset")
_COLUMN: dict[Field, Callable[[ReconstructionRow], str]] = {
    "attack": lambda row: row.preset,
    "victim": lambda row: family_of(row.victim),
    "dataset": lambda row: row.dataset,
}
_FEWEST = 100
"""The fewest reconstructions of a value that is left out."""


class HeldOut(Description):
    """The measure of one value of one field, which training did not see, on originals that it did not see either."""

    CONTENT = "a result on held-out settings"
    REFUSAL = InvalidAnnotations

    field: Field
    value: str
    trained_on: int
    """The number of reconstructions in training."""
    epochs: int
    comparison: Comparison


class HeldOuts(Description):
    """``hold-out.json``: the measure of every value that has enough reconstructions."""

    CONTENT = "results on held-out settings"
    REFUSAL = InvalidAnnotations
    FILE = "hold-out.json"

    results: tuple[HeldOut, ...]
    left_out: dict[str, str]
    """The values that are not measured, and why."""


@dataclass(frozen=True, slots=True, eq=False)
class _Value:
    """A value to leave out, and the reconstructions that have it."""

    field: Field
    value: str
    rows: Mask
    train: Mask
    """The reconstructions to train on, none of which has the value."""
    test: Mask
    """The reconstructions to measure on, which have the value and originals that training did not see."""

    def __str__(self) -> str:
        return f"{self.field} {self.value}"

    def named(self, result: HeldOut) -> HeldOut:
        """A result on the same reconstructions under the name of this value."""
        comparison = result.comparison.model_copy(update={"what": str(self)})
        return result.model_copy(update={"field": self.field, "value": self.value, "comparison": comparison})


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """Everything that the measures of all values share."""

    sized: SizedSet
    recipe: MetricRecipe
    seed: int
    base: Path
    out: Path
    baselines: tuple[Metric, ...]
    progress: Progress
    device: str

    def reason_against(self, value: _Value) -> str | None:
        """The reason that a value cannot be measured; ``None`` where it can."""
        test = self.sized.judged.take(value.test)
        if not value.train.any():
            return "nothing else is left to train on"
        if value.rows.sum() < _FEWEST:
            return f"{int(value.rows.sum())} reconstructions"
        if test.rarer >= FEWEST_OF_A_KIND:
            return None
        return f"{test.rarer} of {len(test)} of the rarer kind"

    def results(self, values: Sequence[_Value]) -> tuple[HeldOut, ...]:
        """The results of the values, each in its file; those of the same reconstructions are made once."""
        results, by_rows = [], dict[bytes, HeldOut]()
        for value in values:
            path, rows = self.out / f"{value.field}-{value.value}.json", value.rows.tobytes()
            if not path.exists() or not self.is_of_these_metrics(HeldOut.read(path)):
                result = by_rows.get(rows) or self._measured(value, path.with_suffix(".jsonl"))
                path.write_text(value.named(result).model_dump_json(indent=2) + "\n")
            results.append(HeldOut.read(path))
            by_rows.setdefault(rows, results[-1])
        return tuple(results)

    def is_of_these_metrics(self, result: HeldOut) -> bool:
        """False for a result that an earlier version kept, beside fewer metrics."""
        return {one.metric for one in result.comparison.metrics} == {TRAINED, *(one.name for one in self.baselines)}

    def _measured(self, value: _Value, log: Path) -> HeldOut:
        train, test = self.sized.take(value.train), self.sized.take(value.test)
        network = train_metric(
            train, None, self.recipe, self.seed, log,
            base=self.base, device=self.device, progress=prefixed(self.progress, f"without {value}"),
        )  # fmt: skip
        others = tuple(metric.take(value.test) for metric in self.baselines)
        return HeldOut(
            field=value.field,
            value=value.value,
            trained_on=len(train),
            epochs=self.recipe.epochs,
            comparison=compare_metrics(test.judged, str(value), measure(network, test), others),
        )


def hold_out(
    training: MetricTraining,
    base: Path,
    out: Path,
    baselines: tuple[Metric, ...],
    sized: SizedSet,
    *,
    fields: Sequence[Field] = FIELDS,
    epochs: int | None = None,
    progress: Progress = silent,
    device: str = "cpu",
) -> HeldOuts:
    """Train the chosen recipe without each value in turn and measure it there, beside other metrics.

    Every attack, family of victims and data set of at least 100 reconstructions is a value, unless fewer than 10 of
    those to measure on were recognised, or fewer than 10 were not.

    Training takes the training originals of everything else. The measure takes the validation and test originals of
    the value. Results that are in ``out`` are not made again, nor those of two values that are the same
    reconstructions, as when an attack alone met a victim.

    Args:
        training: the configuration.
        base: the directory of the configuration.
        out: the directory of the results.
        baselines: the other metrics' values, in the order of ``sized``.
        sized: all judged reconstructions at the recipe's size.
        fields: the fields to leave values out of.
        epochs: in place of the recipe's number.
        progress: called after every step.
        device: ``cpu`` or ``cuda``.

    Raises:
        InvalidAnnotations: there is nothing to compare.
    """
    recipe = training.chosen
    recipe = recipe.model_copy(update={"epochs": epochs or recipe.epochs})
    trial = _Trial(sized, recipe, training.seeds[0], base, out, baselines, progress, device)
    values = _values(sized.judged, fields)
    left_out = {str(value): reason for value in values if (reason := trial.reason_against(value)) is not None}
    results = trial.results([value for value in values if str(value) not in left_out])
    held_outs = HeldOuts(results=results, left_out=left_out)
    (out / HeldOuts.FILE).write_text(held_outs.model_dump_json(indent=2) + "\n")
    return held_outs


def _values(judged: JudgedSet, fields: Sequence[Field]) -> list[_Value]:
    seen = judged.where(lambda row: row.split, "train")
    values = []
    for field in fields:
        for value in judged.values(_COLUMN[field]):
            rows = judged.where(_COLUMN[field], value)
            values.append(_Value(field, value, rows, train=~rows & seen, test=rows & ~seen))
    return values
