"""What a trained embedding is worth on reconstructions that it was not trained on."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from semsim.calibration import Calibration
from semsim.manifest import HeldOutResult
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.faithfulness.evaluate import figure_of
from semsim_training.faithfulness.report import CONFIDENCE, Figure
from semsim_training.faithfulness.resampling import Draws
from semsim_training.faithfulness.study import Direction, Floats, Metric, Study
from semsim_training.metric.calibration_fit import calibration_error, operating_point
from semsim_training.metric.judged import JudgedReconstructions
from semsim_training.statistics.ranks import Ranking, auc

DRAWS = 1000
SEED = 0
TRAINED = "semsim"
"""The trained embedding's distance, among metrics."""


class MetricAuc(BaseModel):
    """How far a metric agrees with the majority of annotators."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    auc: Figure
    gain: Figure | None
    """How much further the trained embedding agrees, over the same draws; ``None`` for itself."""


class Comparison(BaseModel):
    """Metrics on the same reconstructions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    judged_by: AnnotatorKind
    items: int
    originals: int
    recognised: float
    """Share, by the majority."""
    metrics: tuple[MetricAuc, ...]

    @property
    def best_other(self) -> MetricAuc:
        """The metric with the greatest AUC beside the trained one."""
        return max((one for one in self.metrics if one.metric != TRAINED), key=lambda one: one.auc.value or 0)

    def of(self, metric: str) -> MetricAuc:
        """What was measured of ``metric``."""
        return next(one for one in self.metrics if one.metric == metric)


def compare(
    judged: JudgedReconstructions, kind: AnnotatorKind, what: str, distances: Floats, others: tuple[Metric, ...]
) -> Comparison:
    """The AUC of ``distances`` ``(N,)`` and of ``others``, and the differences, over the same draws of originals."""
    metrics = (Metric(TRAINED, Direction.DOWN, distances), *others)
    study = study_of(judged, kind, what, metrics, whole=True)
    draws = Draws.of(study, DRAWS, SEED)
    values = {metric.name: auc_draws(study, metric, draws) for metric in metrics}
    return Comparison(
        what=what,
        judged_by=kind,
        items=len(judged),
        originals=len(study.original_names),
        recognised=round(float(study.majority.mean()), 4),
        metrics=tuple(
            MetricAuc(
                metric=name,
                auc=figure_of(found),
                gain=None if name == TRAINED else figure_of(values[TRAINED] - found),
            )
            for name, found in values.items()
        ),
    )


def study_of(
    judged: JudgedReconstructions, kind: AnnotatorKind, name: str, metrics: tuple[Metric, ...], *, whole: bool = False
) -> Study:
    """The reconstructions as the faithfulness study sees them; ``whole`` as one setting."""
    return Study(
        name=name,
        judged_by=kind,
        items=judged.items,
        settings=tuple(name if whole else origin.setting for origin in judged.origins),
        originals=tuple(origin.image for origin in judged.origins),
        recognised=judged.recognised,
        judges=judged.judges,
        metrics=metrics,
    )


def auc_draws(study: Study, metric: Metric, draws: Draws) -> Floats:
    """AUC of a metric against the majority in each draw ``(1 + R,)``, the first being the study itself."""
    ranking = Ranking.of(metric.leakage)
    found = [auc(ranking, weights * study.majority, weights * ~study.majority) for _, weights in draws.weights()]
    return np.concatenate(found)


def strangers_recognizable(
    embeddings: Floats, judged: JudgedReconstructions, calibration: Calibration, threshold: float
) -> float:
    """The share of pairs of originals of different classes that would be called recognizable; it should be nearly none.

    ``embeddings`` ``(M, D)`` are those of all originals. No attack makes such a pair, but a metric that compares
    must tell it apart from a leak.
    """
    return float((calibration.leakage(_between_originals(embeddings, judged, alike=False)) >= threshold).mean())


def siblings_recognizable(
    embeddings: Floats, judged: JudgedReconstructions, calibration: Calibration, threshold: float
) -> float:
    """The same share of pairs of different originals of one class, to which annotators give the same name."""
    return float((calibration.leakage(_between_originals(embeddings, judged, alike=True)) >= threshold).mean())


def strangers_auc(distances: Floats, embeddings: Floats, judged: JudgedReconstructions) -> float:
    """The chance that a reconstruction that the majority recognised is nearer to its original than a stranger is.

    A stranger is an original of another class. ``distances`` ``(N,)`` are those of the reconstructions, ``embeddings``
    ``(M, D)`` those of all originals; NaN without recognised ones or strangers. The AUC over reconstructions alone
    cannot see whether a metric compares images or only tells noise from photographs.
    """
    values = np.concatenate([distances[judged.majority], _between_originals(embeddings, judged, alike=False)])
    recognised = (np.arange(len(values)) < judged.majority.sum())[None].astype(np.float64)
    return float(auc(Ranking.of(-values), recognised, 1 - recognised)[0])


def _between_originals(embeddings: Floats, judged: JudgedReconstructions, *, alike: bool) -> Floats:
    """Distances of all pairs of originals of one class, or of different ones."""
    used = np.unique(judged.original_of)
    labels, own = judged.labels[used], embeddings[used]
    first, second = np.nonzero(((labels[:, None] == labels[None]) == alike) & ~np.eye(len(labels), dtype=bool))
    gaps: Floats = np.linalg.norm(own[first] - own[second], axis=1)
    return gaps


def held_out_results(
    judged: JudgedReconstructions,
    kind: AnnotatorKind,
    distances: NDArray[np.float64],
    calibration: Calibration,
    threshold: float,
) -> tuple[HeldOutResult, ...]:
    """AUC over all and by data set, calibration error, precision and recall at the threshold, with intervals."""
    results = []
    for dataset in (None, *judged.values("dataset")):
        rows = np.ones(len(judged), dtype=bool) if dataset is None else judged.where(dataset=[dataset])
        part, own = judged.take(rows), distances[rows]
        data = f"{dataset or 'all'}, test originals, judged by a {kind}"
        study = study_of(part, kind, data, (Metric("distance", Direction.DOWN, own),), whole=True)
        draws = Draws.of(study, DRAWS, SEED)
        results.append(_result("AUC", data, figure_of(auc_draws(study, study.metrics[0], draws)), len(part)))
        if dataset is None:
            leakage = calibration.leakage(own)
            error = calibration_error(leakage, part.shares, draws.counts[:, draws.original])
            results.append(_result("expected calibration error", data, figure_of(error), len(part)))
            results += _at_threshold(study, draws, leakage, threshold, data)
    return tuple(results)


def _at_threshold(study: Study, draws: Draws, leakage: Floats, threshold: float, data: str) -> list[HeldOutResult]:
    points = [
        operating_point(np.repeat(leakage, times), np.repeat(study.majority, times), threshold)
        for times in draws.counts[:, draws.original].astype(np.int64)
    ]
    return [
        _result(
            f"{name} at leakage {threshold:g}",
            data,
            figure_of(np.asarray([getattr(point, name) for point in points])),
            len(study.items),
        )
        for name in ("precision", "recall")
    ]


def _result(metric: str, data: str, figure: Figure, items: int) -> HeldOutResult:
    if figure.value is None or figure.low is None or figure.high is None:
        raise ValueError(f"{metric} is not defined on {data}")
    return HeldOutResult(
        metric=metric,
        data=data,
        value=round(figure.value, 4),
        low=round(figure.low, 4),
        high=round(figure.high, 4),
        confidence=CONFIDENCE,
        items=items,
    )
