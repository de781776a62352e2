"""Weighted rank statistics against plain ones on repeated items."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, pearsonr, spearmanr

from semsim_training.statistics.ranks import Ranking, auc, kendall_rows, pearson_rows, spearman, spearman_rows
from tests.training.faithfulness import studies

VALUES = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(0, 5), st.integers(0, 3)), min_size=3, max_size=40
)  # a metric with ties, how many of five recognised the item, and how often a draw holds it


@given(VALUES)
def test_weights_are_repetitions(rows: list[tuple[int, int, int]]) -> None:
    """Spearman and AUC with weights are those of the items repeated so often, and NaN where those are not defined."""
    first, second, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    times = weights.astype(int)
    left, right = np.repeat(first, times), np.repeat(second, times)
    ranking = Ranking.of(first)
    correlation = spearman(
        ranking.centred_ranks(weights[None]), Ranking.of(second).centred_ranks(weights[None]), weights[None]
    )[0]
    if len(set(left)) > 1 and len(set(right)) > 1:
        assert correlation == pytest.approx(spearmanr(left, right).statistic, abs=1e-12)
    else:
        assert np.isnan(correlation)
    area = auc(ranking, (weights * (second > 2))[None], (weights * (second <= 2))[None])[0]
    if (right > 2).any() and (right <= 2).any():
        assert area == pytest.approx(studies.auc(list(left[right > 2]), list(left[right <= 2])), abs=1e-12)
    else:
        assert np.isnan(area)


def test_infinite_values_rank_last_and_tie() -> None:
    """Two exact copies tie above every finite PSNR."""
    values = np.array([30.0, np.inf, 20.0, np.inf])
    assert Ranking.of(values).centred_ranks(np.ones((1, 4)))[0].tolist() == [-0.5, 1.0, -1.5, 1.0]


def test_nothing_has_no_order() -> None:
    """The AUC without any item is not defined."""
    nothing = np.zeros((1, 0))
    assert np.isnan(auc(Ranking.of(np.zeros(0)), nothing, nothing)[0])


def test_rows_are_scipys() -> None:
    """Spearman, tau-b and Pearson of each row, with ties, are SciPy's; a constant row has none."""
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 5, (20, 9)).astype(float), rng.integers(0, 5, (20, 9)).astype(float)
    for row in range(20):
        pair = first[row], second[row]
        assert spearman_rows(first, second)[row] == pytest.approx(spearmanr(*pair).statistic)
        assert kendall_rows(first, second)[row] == pytest.approx(kendalltau(*pair).statistic)
        assert pearson_rows(first, second)[row] == pytest.approx(pearsonr(*pair).statistic)
    for statistic in (spearman_rows, kendall_rows, pearson_rows):
        assert np.isnan(statistic(np.full((1, 9), 0.1), second[:1])).all()
