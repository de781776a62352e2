"""Leaves one attack, one victim, one data set out of training, and measures the metric there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from semsim.exceptions import InvalidAnnotations
from semsim.progress import Progress, prefixed, silent
from semsim_training.configuration import Description
from semsim_training.faithfulness.metric_values import Metric
from semsim_training.judged.judged_set import Mask
from semsim_training.judged.sized_set import SizedSet
from semsim_training.metric.embedding_distances import measure
from semsim_training.metric.metric_comparison import Comparison, compare
from semsim_training.metric.metric_recipe import MetricTraining
from semsim_training.metric.metric_training import train_metric

Field = Literal["attack", "victim", "dataset"]
FIELDS: tuple[Field, ...] = ("attack", "victim", "dataset")
_COLUMN = {"attack": "preset", "victim": "victim", "dataset": "dataset"}
_FEWEST = 20
"""The fewest recognised and the fewest unrecognised reconstructions to measure on; of fewer, an AUC says little."""


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
    """A value to leave out, and the rows that have it."""

    field: Field
    value: str
    rows: Mask

    def __str__(self) -> str:
        return f"{self.field} {self.value}"


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
    judged = sized.judged
    unseen = judged.where(split=["validation", "test"])
    results: list[HeldOut] = []
    left_out, same = {}, dict[bytes, HeldOut]()
    for one in _values(sized, fields):
        test, train = sized.take(one.rows & unseen), sized.take(~one.rows & judged.where(split=["train"]))
        few = min(int(test.judged.majority.sum()), int((~test.judged.majority).sum()))
        if few < _FEWEST or not len(train):
            left_out[str(one)] = f"{few} of {len(test)} reconstructions are of the rarer kind, recognised or not"
            continue
        path = out / f"{one.field}-{one.value}.json"
        if not path.exists():
            result = same.get(one.rows.tobytes())
            if result is None:
                network = train_metric(
                    train, None, recipe, training.seeds[0], path.with_suffix(".jsonl"),
                    base=base, device=device, progress=prefixed(progress, f"without {one}"),
                )  # fmt: skip
                others = tuple(metric.take(one.rows & unseen) for metric in baselines)
                result = HeldOut(
                    field=one.field,
                    value=one.value,
                    trained_on=len(train),
                    epochs=recipe.epochs,
                    comparison=compare(test.judged, str(one), measure(network, test), others),
                )
            path.write_text(_named(result, one).model_dump_json(indent=2) + "\n")
        results.append(HeldOut.read(path))
        same.setdefault(one.rows.tobytes(), results[-1])
    every = HeldOuts(results=tuple(results), left_out=left_out)
    (out / HeldOuts.FILE).write_text(every.model_dump_json(indent=2) + "\n")
    return every


def _values(sized: SizedSet, fields: Sequence[Field]) -> list[_Value]:
    judged = sized.judged
    return [
        _Value(field, value, judged.where(**{_COLUMN[field]: [value]}))
        for field in fields
        for value in judged.values(_COLUMN[field])
    ]


def _named(result: HeldOut, one: _Value) -> HeldOut:
    """The same result under the name of ``one``."""
    comparison = result.comparison.model_copy(update={"what": str(one)})
    return result.model_copy(update={"field": one.field, "value": one.value, "comparison": comparison})
