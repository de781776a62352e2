"""How far one more annotator agrees with those who judged: what a metric as good as they are could reach.

Each annotator of a reconstruction is asked beside the others of it, where those agree. It says only recognised or not,
and its AUC is the mean of both shares that it gets right. A metric is measured on the same cases.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from semsim_training.faithfulness.evaluate import figure_of
from semsim_training.faithfulness.metric_values import Metric
from semsim_training.faithfulness.report import Figure
from semsim_training.faithfulness.wording import figure_text
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.metric.metric_comparison import DRAWS, SEED, parts_of
from semsim_training.statistics.bootstrap import Draws
from semsim_training.statistics.intervals import Floats
from semsim_training.statistics.ranks import Ranking, auc


@dataclass(frozen=True, slots=True)
class OneMoreAnnotator:
    """One more annotator and metrics on the same cases; the intervals are those of 95% over draws of originals."""

    what: str
    cases: int
    """The number of pairs of an annotator and a reconstruction whose other annotators agree."""
    annotator: Figure
    """The AUC of the annotator against the others."""
    metrics: dict[str, Figure]
    """The AUC of each metric against the others."""
    leads: dict[str, Figure]
    """How much further each metric agrees than the annotator does, over the same draws."""

    @classmethod
    def of(cls, what: str, judged: JudgedSet, metrics: Sequence[Metric]) -> Self:
        """Measure ``metrics`` ``(N,)`` and one more annotator; reconstructions with one annotator have no case."""
        annotators, recognised = judged.annotators, judged.recognised
        several = annotators > 1
        share = 1.0 / annotators  # each annotator's part of a reconstruction, so that all count alike
        kept, missed = several & (recognised == annotators), share * (several & (recognised == annotators - 1))
        refused, raised = several & (recognised == 0), share * (several & (recognised == 1))
        rankings = {metric.name: Ranking.of(metric.leakage) for metric in metrics}
        parts: list[list[Floats]] = []
        for _, weights in Draws.of(judged.originals, DRAWS, SEED).weights():
            positive, negative = weights * (kept + missed), weights * (refused + raised)
            with np.errstate(invalid="ignore"):  # a draw without such cases has no figure
                named = (weights * kept).sum(axis=1) / positive.sum(axis=1)
                right = (named + (weights * refused).sum(axis=1) / negative.sum(axis=1)) / 2
            parts.append([right, *(auc(ranking, positive, negative) for ranking in rankings.values())])
        annotator, *values = (np.concatenate(part) for part in zip(*parts, strict=True))
        cases = annotators * (kept + missed + refused + raised)
        return cls(
            what,
            round(float(cases.sum())),
            figure_of(annotator),
            {name: figure_of(drawn) for name, drawn in zip(rankings, values, strict=True)},
            {name: figure_of(drawn - annotator) for name, drawn in zip(rankings, values, strict=True)},
        )


def one_more_annotator_table(judged: JudgedSet, metrics: Sequence[Metric]) -> str:
    """A line for all reconstructions, each data set, trained and untrained victims, as a Markdown table."""
    names = [metric.name for metric in metrics]
    heads = ["test originals", "cases", "one more annotator", *names, f"lead of {names[0]} over the annotator"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for what, rows in parts_of(judged).items():
        one = OneMoreAnnotator.of(what, judged.take(rows), [metric.take(rows) for metric in metrics])
        figures = [one.annotator, *one.metrics.values(), one.leads[names[0]]]
        lines.append(f"| {what} | {one.cases} | {' | '.join(map(figure_text, figures))} |")
    return "\n".join(lines)
