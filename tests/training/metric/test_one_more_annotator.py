"""One more annotator against the others: as counted by asking each in turn."""

from dataclasses import replace

import numpy as np
import pytest

from semsim_training.faithfulness.metric_values import Direction, Metric
from semsim_training.metric.one_more_annotator import OneMoreAnnotator, one_more_annotator_table
from tests.training.metric.small import judged


def test_each_annotator_is_asked_beside_the_others() -> None:
    """The shares and the AUC are those of all annotators in turn, each reconstruction with the same weight."""
    rng = np.random.default_rng(0)
    columns = judged(12, 4).judged
    annotators = rng.integers(1, 5, len(columns))
    columns = replace(columns, annotators=annotators, recognised=rng.integers(0, annotators + 1))
    metric = Metric("semsim", Direction.DOWN, rng.random(len(columns)) - 0.3 * columns.shares)
    cases = []  # the annotator's answer, the others', the metric's leakage and the weight
    for leakage, count, recognised in zip(metric.leakage, annotators, columns.recognised, strict=True):
        answers = [bool(place < recognised) for place in range(count)]
        for place, answer in enumerate(answers):
            others = set(answers[:place] + answers[place + 1 :])
            if len(others) == 1:
                cases.append((answer, others == {True}, leakage, 1 / count))
    positive, negative = ([case for case in cases if case[1] is agreed] for agreed in (True, False))
    named, refused = (
        sum(case[3] for case in part if case[0] is agreed) / sum(case[3] for case in part)
        for part, agreed in ((positive, True), (negative, False))
    )
    pairs = [
        (first[3] * second[3], (1 + np.sign(first[2] - second[2])) / 2) for first in positive for second in negative
    ]
    one = OneMoreAnnotator.of("all", columns, [metric])
    assert one.cases == len(cases)
    assert one.annotator.value == pytest.approx((named + refused) / 2)
    assert one.metrics["semsim"].value == pytest.approx(sum(w * won for w, won in pairs) / sum(w for w, _ in pairs))
    assert one.metrics["semsim"].value - one.annotator.value == pytest.approx(one.leads["semsim"].value)
    assert one.annotator.low < one.annotator.value < one.annotator.high


def test_annotators_who_always_agree_are_never_behind() -> None:
    """Their AUC is 1; reconstructions that one annotator judged have no case."""
    columns = judged(12, 4).judged
    metric = Metric("semsim", Direction.DOWN, np.arange(len(columns), dtype=np.float64))
    unanimous = replace(columns, recognised=np.where(columns.shares > 0.5, 3, 0))
    line = one_more_annotator_table(unanimous, [metric]).splitlines()[2]
    assert line.startswith(f"| all | {3 * len(columns)} | 1.000 [1.000, 1.000] | ")
    alone = replace(columns, annotators=np.ones_like(columns.annotators), recognised=columns.recognised.clip(max=1))
    assert OneMoreAnnotator.of("all", alone, [metric]).annotator.value is None
