"""From a study to its report."""

from importlib.metadata import version
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidOption
from semsim_training.faithfulness.contradictions import (
    image_contradictions,
    image_correlations,
    leakages,
    setting_contradictions,
    setting_correlations,
)
from semsim_training.faithfulness.metric_agreement import SettingMeans, Statistic, agreement
from semsim_training.faithfulness.report import (
    CONFIDENCE,
    Agreement,
    Correlations,
    Difference,
    FaithfulnessReport,
    FidRecord,
    Figure,
    ImagePair,
    MetricMean,
    MetricRecord,
    SettingPair,
    SettingRecord,
)
from semsim_training.faithfulness.resampling import Draws
from semsim_training.faithfulness.study import Floats, Study

FEWEST_DRAWS = 100
IMAGES_A_PAIR = 5
"""Contradictory images that are named for each pair of metrics, and in each direction."""


def evaluate(study: Study, *, draws: int, seed: int, source: str, fid: FidRecord | None = None) -> FaithfulnessReport:
    """Measure how far each metric of ``study`` agrees with its judges and with the others; deterministic for a seed.

    Raises:
        InvalidOption: fewer than 100 draws.
        InvalidAnnotations: fewer than two settings of at least five images.
        InvalidDataset: a metric without a finite value.
    """
    if draws < FEWEST_DRAWS:
        raise InvalidOption(f"expected at least {FEWEST_DRAWS} draws for an interval, got {draws}")
    study, left_out = study.without_small_settings()
    drawn = Draws.of(study, draws, seed)
    means = SettingMeans.of(study, drawn)
    agreements = agreement(study, drawn, means)
    return FaithfulnessReport(
        name=study.name,
        source=source,
        judged_by=study.judged_by,
        images=len(study.items),
        originals=len(study.original_names),
        votes=int(study.judges.sum()),
        judges_an_image=(int(study.judges.min()), int(study.judges.max())),
        recognised_votes=float(study.recognised.sum() / study.judges.sum()),
        recognised_majority=float(study.majority.mean()),
        left_out=left_out,
        draws=draws,
        seed=seed,
        metrics=tuple(
            MetricRecord(name=one.name, direction=one.direction, infinite=one.infinite) for one in study.metrics
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
        correlations=Correlations(
            names=tuple(leakages(study)),
            images=_table(image_correlations(study)),
            settings=_table(setting_correlations(means)),
        ),
        setting_pairs=_setting_pairs(study, means),
        image_pairs=_image_pairs(study),
        fid=fid,
        versions={name: version(name) for name in ("semsim", "numpy", "scipy")},
    )


def figure_of(values: Floats) -> Figure:
    """The figure of the study, ``values[0]``, with the percentile interval of the draws ``values[1:]``."""
    drawn = values[1:][np.isfinite(values[1:])]
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = np.percentile(drawn, [tail, 100.0 - tail]) if drawn.size else (None, None)
    return Figure(value=_defined(values[0]), low=_defined(low), high=_defined(high), draws=int(drawn.size))


def _defined(value: np.float64 | float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _table(values: NDArray[np.float64]) -> tuple[tuple[float | None, ...], ...]:
    return tuple(tuple(_defined(value) for value in row) for row in values)


def _settings(study: Study, means: SettingMeans) -> tuple[SettingRecord, ...]:
    return tuple(
        SettingRecord(
            name=name,
            images=study.settings.count(name),
            share=figure_of(means.shares[:, column]),
            means=tuple(
                MetricMean(metric=metric, figure=figure_of(values[:, column]))
                for metric, values in means.metrics.items()
            ),
        )
        for column, name in enumerate(study.setting_names)
    )


def _setting_pairs(study: Study, means: SettingMeans) -> tuple[SettingPair, ...]:
    return tuple(
        SettingPair(
            first=one.first,
            second=one.second,
            leaky=one.leaky,
            safe=one.safe,
            margin_first=one.margin_first,
            margin_second=one.margin_second,
            held=one.held,
        )
        for one in setting_contradictions(study, means)
    )


def _image_pairs(study: Study) -> tuple[ImagePair, ...]:
    return tuple(
        ImagePair(
            first=one.first,
            second=one.second,
            item=study.items[one.row],
            setting=study.settings[one.row],
            recognised=int(study.recognised[one.row]),
            judges=int(study.judges[one.row]),
            rank_first=one.rank_first,
            rank_second=one.rank_second,
        )
        for one in image_contradictions(study, IMAGES_A_PAIR)
    )
