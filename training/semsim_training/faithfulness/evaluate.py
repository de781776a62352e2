"""Measures a study: how far its metrics agree with the annotators and with each other."""

from importlib.metadata import version
from itertools import combinations

import numpy as np

from semsim.exceptions import InvalidOption
from semsim_training.faithfulness.contradictions import (
    image_contradictions,
    image_correlations,
    setting_contradictions,
    setting_correlations,
)
from semsim_training.faithfulness.metric_agreement import (
    SettingMeans,
    Statistic,
    agreement_draws,
    image_agreement_draws,
)
from semsim_training.faithfulness.report import (
    Agreement,
    Correlations,
    Difference,
    FaithfulnessReport,
    FidRecord,
    Figure,
    MetricMean,
    MetricRecord,
    SettingRecord,
    VictimsRecord,
)
from semsim_training.faithfulness.study import Study
from semsim_training.judged.judged_set import FEWEST_OF_A_KIND
from semsim_training.statistics.bootstrap import Draws
from semsim_training.statistics.intervals import Floats, percentiles

FEWEST_DRAWS = 100
IMAGES_A_PAIR = 5
"""The number of contradictory images that are named for each pair of metrics, in each direction."""


def evaluate(study: Study, *, draws: int, seed: int, source: str, fid: FidRecord | None = None) -> FaithfulnessReport:
    """The report of a study; deterministic for a seed.

    Args:
        study: settings of fewer than five images are left out of it.
        draws: how many the bootstrap makes.
        seed: makes the draws.
        source: where the judgements come from and under which licence.
        fid: the FID of the settings, for the report.

    Raises:
        InvalidOption: fewer than 100 draws.
        InvalidAnnotations: fewer than two settings of at least five images.
        InvalidDataset: a metric without a finite value.
    """
    if draws < FEWEST_DRAWS:
        raise InvalidOption(f"expected at least {FEWEST_DRAWS} draws for an interval, got {draws}")
    study, left_out = study.without_small_settings()
    drawn, judged = study.draws(draws, seed), study.judged
    means = SettingMeans.of(study, drawn)
    agreements = agreement_draws(study, drawn, means)
    return FaithfulnessReport(
        name=judged.name,
        source=source,
        judged_by=judged.kind,
        images=len(judged),
        originals=len(judged.original_names),
        judgements=int(judged.annotators.sum()),
        annotators_an_image=(int(judged.annotators.min()), int(judged.annotators.max())),
        recognised_judgements=float(judged.recognised.sum() / judged.annotators.sum()),
        recognised_majority=float(judged.majority.mean()),
        left_out=left_out,
        draws=draws,
        seed=seed,
        metrics=tuple(
            MetricRecord(name=metric.name, direction=metric.direction, infinite=metric.infinite)
            for metric in study.metrics
        ),
        settings=_settings(study, means),
        agreement=tuple(
            Agreement(metric=metric, statistic=statistic, figure=figure_of(values))
            for (metric, statistic), values in agreements.items()
        ),
        differences=tuple(
            Difference(
                first=first.name,
                second=second.name,
                statistic=statistic,
                figure=figure_of(agreements[first.name, statistic] - agreements[second.name, statistic]),
            )
            for statistic in Statistic
            for first, second in combinations(study.metrics, 2)
        ),
        victims=victims_apart(study, draws, seed),
        correlations=Correlations(
            names=tuple(study.leakages),
            images=_table(image_correlations(study)),
            settings=_table(setting_correlations(means)),
        ),
        setting_pairs=tuple(setting_contradictions(study, means)),
        image_pairs=tuple(image_contradictions(study, IMAGES_A_PAIR)),
        fid=fid,
        versions={name: version(name) for name in ("semsim", "numpy", "scipy")},
    )


def victims_apart(study: Study, draws: int, seed: int) -> tuple[VictimsRecord, ...]:
    """Trained and untrained victims apart, each with draws of its own originals; nothing where no rows tell them.

    A kind with fewer than 10 reconstructions that the majority recognised, or that it did not, is left out.
    """
    if not study.judged.pairs:
        return ()
    kinds = [(True, study.judged.trained), (False, ~study.judged.trained)]
    return tuple(
        _victims(Study(study.judged.take(rows), tuple(one.take(rows) for one in study.metrics)), trained, draws, seed)
        for trained, rows in kinds
        if study.judged.take(rows).rarer >= FEWEST_OF_A_KIND
    )


def _victims(study: Study, trained: bool, draws: int, seed: int) -> VictimsRecord:
    judged, names = study.judged, [metric.name for metric in study.metrics]
    values = image_agreement_draws(study, Draws.of(judged.originals, draws, seed))
    best = sorted(names, key=lambda name: -values[name, Statistic.AUC][0])[:2]
    rivals = [(name, best[name == best[0]]) for name in names if len(best) > 1]
    return VictimsRecord(
        trained=trained,
        images=len(judged),
        originals=len(judged.original_names),
        recognised_majority=float(judged.majority.mean()),
        agreement=tuple(
            Agreement(metric=name, statistic=statistic, figure=figure_of(values[name, statistic]))
            for name in names
            for statistic in (Statistic.AUC, Statistic.JUDGEMENT_AUC)
        ),
        leads=tuple(
            Difference(
                first=name,
                second=rival,
                statistic=Statistic.AUC,
                figure=figure_of(values[name, Statistic.AUC] - values[rival, Statistic.AUC]),
            )
            for name, rival in rivals
        ),
    )


def figure_of(values: Floats) -> Figure:
    """The figure ``values[0]`` of the study itself, with the percentile interval of the draws ``values[1:]``."""
    interval = percentiles(values[1:])
    return Figure(
        value=_defined(values[0]),
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        draws=int(np.isfinite(values[1:]).sum()),
    )


def _defined(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _table(values: Floats) -> tuple[tuple[float | None, ...], ...]:
    return tuple(tuple(_defined(value) for value in row) for row in values)


def _settings(study: Study, means: SettingMeans) -> tuple[SettingRecord, ...]:
    return tuple(
        SettingRecord(
            name=name,
            images=study.judged.settings.count(name),
            share=figure_of(means.shares[:, column]),
            means=tuple(
                MetricMean(metric=metric, figure=figure_of(values[:, column]))
                for metric, values in means.metrics.items()
            ),
        )
        for column, name in enumerate(study.judged.setting_names)
    )
