"""Reports of made-up studies."""

from dataclasses import replace

import numpy as np
import pytest

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim_training.faithfulness.evaluate import evaluate
from semsim_training.faithfulness.metric_agreement import SettingMeans, Statistic, agreement_draws
from semsim_training.faithfulness.metric_values import Direction, Metric
from semsim_training.faithfulness.report import FaithfulnessReport
from semsim_training.faithfulness.study import Study
from semsim_training.faithfulness.tables import markdown
from semsim_training.metric.embedding_distances import majority_auc
from tests.training.faithfulness.studies import made_up, spearman, with_judged
from tests.training.metric.small import judged


@pytest.fixture(scope="module")
def report() -> FaithfulnessReport:
    """The report of a made-up study."""
    return evaluate(made_up(), draws=200, seed=1, source="made up")


def test_a_draw_is_the_study_of_its_originals() -> None:
    """In a draw, every statistic is the plain one on the items of its originals, repeated as often as drawn."""
    study = made_up()
    judged = study.judged
    draws = study.draws(100, seed=0)
    values = agreement_draws(study, draws, SettingMeans.of(study, draws))
    times = draws.counts[7, draws.group].astype(int)
    leakage, shares = (np.repeat(one, times) for one in (study.metrics[2].leakage, judged.shares))
    assert values["guess", Statistic.IMAGE_SPEARMAN][7] == pytest.approx(spearman(list(leakage), list(shares)))
    settings = np.repeat(judged.settings, times)
    means = [[float(one[settings == name].mean()) for name in judged.setting_names] for one in (leakage, shares)]
    assert values["guess", Statistic.SETTING_SPEARMAN][7] == pytest.approx(spearman(*means))


def test_direction_is_taken_into_account(report: FaithfulnessReport) -> None:
    """A metric and its negative, which falls with leakage, agree equally and are twins; their differences are 0."""
    for statistic in Statistic:
        assert report.figure("psnr", statistic) == report.figure("mse", statistic)
    assert {one.figure.value for one in report.differences if (one.first, one.second) == ("psnr", "mse")} == {0.0}
    assert report.correlations.twins == {"mse": "psnr"}


def test_a_guess_is_worse_with_an_interval(report: FaithfulnessReport) -> None:
    """The metric that knows something is better over images; the guess is at chance."""
    (one,) = (
        one for one in report.differences if (one.first, one.second, one.statistic) == ("psnr", "guess", Statistic.AUC)
    )
    assert one.better == "psnr"
    guess = report.figure("guess", Statistic.AUC)
    assert guess.low is not None
    assert guess.high is not None
    assert guess.low < 0.5 < guess.high
    assert report.ranked == ("psnr", "mse", "guess")


def test_a_seed_makes_the_report(report: FaithfulnessReport) -> None:
    """The same seed gives the same report, another one other intervals and the same figures."""
    assert evaluate(made_up(), draws=200, seed=1, source="made up") == report
    other = evaluate(made_up(), draws=200, seed=2, source="made up")
    before, after = (one.figure("guess", Statistic.AUC) for one in (report, other))
    assert (before.value, before.low) != (after.value, after.low)
    assert before.value == after.value


def test_contradictions_say_who_says_what(report: FaithfulnessReport) -> None:
    """By the first of a pair the setting leaks more, by the second less; what holds most comes first."""
    shares = {setting.name: setting.share.value for setting in report.settings}
    judged = [one for one in report.setting_pairs if one.first == "annotators"]
    assert judged
    assert all(shares[one.leaky] > shares[one.safe] and 0 <= one.held <= 1 for one in judged)
    assert [one.held for one in report.setting_pairs] == sorted(
        (one.held for one in report.setting_pairs), reverse=True
    )
    assert not [one for one in report.setting_pairs if {one.first, one.second} == {"psnr", "mse"}]
    assert all(one.rank_first > one.rank_second for one in report.image_pairs)
    assert all(one.recognised > 2 for one in report.image_pairs if (one.first, one.second) == ("annotators", "guess"))


def test_small_settings_are_left_out_and_named() -> None:
    """A setting of four is not in the figures, and is named."""
    study = made_up()
    settings = ("small",) * 4 + study.judged.settings[4:]
    report = evaluate(with_judged(study, settings=settings), draws=100, seed=0, source="")
    assert report.left_out == {"small": 4}
    assert report.images == len(study.judged) - 4
    assert "small" not in {setting.name for setting in report.settings}


def test_infinite_values_count_as_the_most_extreme_finite_one_in_means() -> None:
    """An infinite PSNR is counted, ranks first, and the setting's mean is finite."""
    study = made_up()
    values = study.metrics[0].values.copy()
    values[3] = np.inf
    report = evaluate(replace(study, metrics=(Metric("psnr", Direction.UP, values),)), draws=100, seed=0, source="")
    assert report.metrics[0].infinite == 1
    finite = np.where(np.isinf(values), values[np.isfinite(values)].max(), values)
    assert report.settings[0].means[0].figure.value == pytest.approx(finite[:30].mean())


def test_what_was_never_recognised_has_no_auc() -> None:
    """Without a recognised image the AUC is not defined: no figure, and no interval."""
    study = made_up()
    nothing = with_judged(study, recognised=study.judged.recognised * 0)
    figure = evaluate(nothing, draws=100, seed=0, source="").figure("psnr", Statistic.AUC)
    assert (figure.value, figure.low, figure.high, figure.draws) == (None, None, None, 0)


def test_too_few_draws_and_settings_are_refused() -> None:
    """The error says how many draws, settings or originals are needed."""
    with pytest.raises(InvalidOption, match=r"at least 100 draws .* got 99"):
        evaluate(made_up(), draws=99, seed=0, source="")
    with pytest.raises(InvalidAnnotations, match=r"at least 2 settings .* got 1"):
        evaluate(with_judged(made_up(), settings=("one",) * 120), draws=100, seed=0, source="")
    tiny = made_up(originals=4)
    with pytest.raises(InvalidAnnotations, match=r"at least 2 settings .* got 0"):
        evaluate(tiny, draws=100, seed=0, source="")
    study = made_up(settings=6)
    alone = with_judged(study, settings=study.judged.originals)
    with pytest.raises(InvalidAnnotations, match="enough originals to draw from, got 0 of 100 draws of made-up"):
        evaluate(alone, draws=100, seed=0, source="")


def test_trained_victims_are_measured_apart() -> None:
    """The figures of each kind of victims are those of its reconstructions alone; a lead is over the best other one."""
    many = judged(originals=24, each=4).judged
    pairs = tuple(replace(pair, row=replace(pair.row, trained=pair.row.original_sha256 < "8")) for pair in many.pairs)
    rng = np.random.default_rng(0)
    shares = many.shares + rng.normal(0, 0.3, len(many))
    study = Study(
        replace(many, pairs=pairs),
        (Metric("psnr", Direction.UP, shares), Metric("guess", Direction.UP, rng.normal(0, 1, len(many)))),
    )
    victims = evaluate(study, draws=100, seed=0, source="").victims
    assert [one.trained for one in victims] == [True, False]
    for one, rows in zip(victims, (study.judged.trained, ~study.judged.trained), strict=True):
        assert (one.images, one.ranked) == (int(rows.sum()), ("psnr", "guess"))
        alone = majority_auc(study.judged.take(rows), -shares[rows])
        assert one.figure("psnr", Statistic.AUC).value == pytest.approx(alone)
        over_judgements = one.figure("psnr", Statistic.JUDGEMENT_AUC)
        assert over_judgements.low is not None
        assert over_judgements.low < (over_judgements.value or 0) < alone
        lead, behind = one.lead("psnr"), one.lead("guess")
        assert lead is not None
        assert behind is not None
        assert (lead.second, behind.second, lead.better, behind.better) == ("guess", "psnr", "psnr", "psnr")
    assert "**Trained victims alone: " in markdown(evaluate(study, draws=100, seed=0, source=""))
    assert evaluate(made_up(), draws=100, seed=0, source="").victims == ()
