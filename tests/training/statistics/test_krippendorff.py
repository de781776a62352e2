"""Krippendorff's alpha, against published examples and against its definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semsim_training.statistics.bootstrap import resampled
from semsim_training.statistics.intervals import Interval, percentiles
from semsim_training.statistics.krippendorff import nominal_alpha


def judgements(*observers: str) -> list[tuple[int, str]]:
    """The table of a published example, a text for each observer, a dot where a value is missing."""
    return [(unit, value) for observer in observers for unit, value in enumerate(observer) if value != "."]


@pytest.mark.parametrize(
    ("observers", "expected", "items", "paired"),
    [
        (("0100000010", "1110010000"), 0.095, 10, 20),
        (("aabbdcccedda", "babbbccceddd"), 0.692, 12, 24),
        (("123321412...", "1233224125.3", ".3332342251.", "12332441251."), 0.743, 11, 40),
    ],
    ids=["binary", "nominal", "missing values"],
)
def test_published_examples(observers: tuple[str, ...], expected: float, items: int, paired: int) -> None:
    """The values of Krippendorff 2011, sections A, B and C."""
    alpha = nominal_alpha(judgements(*observers))
    assert alpha.value == pytest.approx(expected, abs=5e-4)
    assert (alpha.items, alpha.judgements, alpha.reason) == (items, paired, None)
    assert alpha.interval is not None
    assert alpha.interval.low < expected < alpha.interval.high


JUDGED = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 2)), min_size=1, max_size=40)


@settings(deadline=None)
@given(JUDGED)
def test_alpha_is_its_definition(judged: list[tuple[int, int]]) -> None:
    """Alpha is one less disagreement within items over that of all pairs, whatever the order of the judgements."""
    alpha = nominal_alpha(judged, draws=20)
    assert nominal_alpha(judged[::-1], draws=20).value == pytest.approx(alpha.value)
    units = [[value for item, value in judged if item == unit] for unit in range(9)]
    units = [unit for unit in units if len(unit) > 1]
    values = [value for unit in units for value in unit]
    if len(set(values)) < 2:
        assert alpha.value is None
        return
    observed = sum(sum(a != b for a in unit for b in unit) / (len(unit) - 1) for unit in units) / len(values)
    expected = sum(a != b for a in values for b in values) / (len(values) * (len(values) - 1))
    assert alpha.value == pytest.approx(1 - observed / expected)


def test_the_bootstrap_is_alpha_of_what_was_drawn() -> None:
    """The interval is that of a loop that computes alpha of each draw's groups anew."""
    rng = np.random.default_rng(0)
    judged = [(item, int(rng.integers(0, 3))) for item in range(12) for _ in range(3)]
    groups = [item // 2 for item, _ in judged]
    alpha = nominal_alpha(judged, groups=groups, draws=60, seed=5)
    alphas = []
    for weights in resampled(6, 60, seed=5).astype(int):
        drawn = [
            ((item, copy), value)
            for (item, value), group in zip(judged, groups, strict=True)
            for copy in range(weights[group])
        ]
        alphas.append(nominal_alpha(drawn, draws=1).value)
    expected = percentiles(np.array(alphas, dtype=float))
    assert expected is not None
    assert alpha.interval is not None
    assert (alpha.interval.low, alpha.interval.high) == pytest.approx((expected.low, expected.high))


def test_groups_widen_the_interval() -> None:
    """Items that are copies of each other say no more than one of them."""
    rng = np.random.default_rng(1)
    one = [(item, int(value)) for item in range(20) for value in rng.choice(2, 3, p=[0.3, 0.7])]
    copied = [((item, copy), value) for copy in range(10) for item, value in one]
    alone = nominal_alpha(copied).interval
    together = nominal_alpha(copied, groups=[item for (item, _), _ in copied]).interval
    assert alone is not None
    assert together is not None
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_what_has_no_alpha_says_why() -> None:
    """The reason is one annotator, the same judgement throughout, nothing at all, or a single group."""
    assert nominal_alpha(judgements("abc")).reason == "no item was judged by two annotators"
    assert nominal_alpha([]).reason == "no item was judged by two annotators"
    same = nominal_alpha(judgements("aaaa", "aaaa"))
    assert (same.value, same.interval, same.items) == (None, None, 4)
    assert same.reason == "every judgement is the same, which chance explains as well"
    single = nominal_alpha(judgements("ab", "ab"), groups=["x"] * 4)
    assert (single.value, single.interval, single.reason) == (1.0, None, "a single group cannot be drawn anew")


def test_draws_without_disagreement_are_passed_over() -> None:
    """With two groups, half of the draws hold one value alone; where all of them do, there is no interval."""
    judged, groups = judgements("ab", "ab"), ["x", "y", "x", "y"]
    assert nominal_alpha(judged, groups=groups).interval == Interval(1.0, 1.0)
    seed = next(seed for seed in range(50) if 2 in resampled(2, 1, seed))
    alone = nominal_alpha(judged, groups=groups, draws=1, seed=seed)
    assert (alone.value, alone.interval) == (1.0, None)
    assert alone.reason == "every judgement is the same in each of the draws"
