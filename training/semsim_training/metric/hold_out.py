"""Leave one attack, one victim, one data set out: is the metric worth as much on what it has not met?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from semsim.exceptions import InvalidAnnotations
from semsim_training.configuration import read_description
from semsim_training.faithfulness.study import Metric
from semsim_training.metric.baselines import at
from semsim_training.metric.held_out_evaluation import Comparison, compare
from semsim_training.metric.judged import JudgedReconstructions
from semsim_training.metric.metric_recipe import MetricTraining
from semsim_training.metric.metric_training import measure, train_metric
from semsim_training.progress import Progress, prefixed

Field = Literal["attack", "victim", "dataset"]
FIELDS: tuple[Field, ...] = ("attack", "victim", "dataset")
_FEWEST = 20
"""Reconstructions of each answer, recognised and not; of fewer, an AUC says little."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HeldOut(_Record):
    """One value of one field, which training did not see, on originals that it did not see either."""

    field: Field
    value: str
    trained_on: int
    """Reconstructions."""
    epochs: int
    comparison: Comparison

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a result.

        Raises:
            InvalidAnnotations: no such file, or it does not fit the schema.
        """
        return read_description(cls, path, InvalidAnnotations, "a result on held-out settings")


class HeldOuts(_Record):
    """``hold-out.json``."""

    results: tuple[HeldOut, ...]
    left_out: dict[str, str]
    """Values that are not measured, and why."""

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read all results.

        Raises:
            InvalidAnnotations: not there, or it does not fit the schema.
        """
        return read_description(cls, directory / "hold-out.json", InvalidAnnotations, "results on held-out settings")


def hold_out(
    training: MetricTraining,
    base: Path,
    out: Path,
    baselines: tuple[Metric, ...],
    judged_at: JudgedReconstructions,
    *,
    fields: Sequence[Field] = FIELDS,
    epochs: int | None = None,
    progress: Progress = lambda *_: None,
    device: str = "cpu",
) -> HeldOuts:
    """Train the first recipe without each value in turn and measure it there, beside ``baselines``.

    Training takes the training originals of everything else; the measure takes the validation and test originals of
    the value. ``judged_at`` are all judged reconstructions at the recipe's size, ``baselines`` the other metrics'
    values of these; ``epochs`` replaces the recipe's number. Results that are in ``out`` are not made again, nor those
    of two values that are the same reconstructions: an attack for which there is a victim of its own.

    Raises:
        InvalidAnnotations: nothing to compare.
    """
    recipe, kind = training.resolved[0], training.judged.kind
    recipe = recipe.model_copy(update={"epochs": epochs or recipe.epochs})
    results: list[HeldOut] = []
    left_out, same = {}, dict[bytes, HeldOut]()
    unseen = judged_at.where(split=["validation", "test"])
    for field in fields:
        for value in judged_at.values(field):
            held = judged_at.where(**{field: [value]})
            test, train = judged_at.take(held & unseen), judged_at.take(~held & judged_at.where(split=["train"]))
            few = min(int(test.majority.sum()), int((~test.majority).sum()))
            if few < _FEWEST or not len(train):
                left_out[f"{field} {value}"] = f"{few} reconstructions of the rarer answer, of {len(test)}"
                continue
            done, rows = out / f"{field}-{value}.json", held.tobytes()
            if not done.exists():
                result = same.get(rows)
                if result is None:
                    network = train_metric(
                        train, None, recipe, training.seeds[0], out / f"{field}-{value}.jsonl",
                        base=base, device=device, progress=prefixed(progress, f"without {field} {value}"),
                    )  # fmt: skip
                    found = compare(test, kind, "", measure(network, test), at(baselines, held & unseen))
                    result = HeldOut(
                        field=field, value=value, trained_on=len(train), epochs=recipe.epochs, comparison=found
                    )
                done.write_text(_named(result, field, value).model_dump_json(indent=2) + "\n")
            results.append(HeldOut.read(done))
            same.setdefault(rows, results[-1])
    every = HeldOuts(results=tuple(results), left_out=left_out)
    (out / "hold-out.json").write_text(every.model_dump_json(indent=2) + "\n")
    return every


def _named(result: HeldOut, field: Field, value: str) -> HeldOut:
    comparison = result.comparison.model_copy(update={"what": f"{field} {value}"})
    return result.model_copy(update={"field": field, "value": value, "comparison": comparison})
