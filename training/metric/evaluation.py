"""What a trained embedding is worth on reconstructions that it was not trained on."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from semsim.calibration import Calibration
from semsim.manifest import HeldOutResult
from training.annotation.judgements import AnnotatorKind
from training.faithfulness.report import CONFIDENCE
from training.faithfulness.resampling import Draws
from training.faithfulness.statistics import Ranking, auc
from training.faithfulness.study import Direction, Metric, Study
from training.metric.calibration import calibration_error, operating_point
from training.metric.judged import JudgedReconstructions

Floats = NDArray[np.float64]
DRAWS = 1000
SEED = 0


def study_of(judged: JudgedReconstructions, kind: AnnotatorKind, name: str, metrics: tuple[Metric, ...]) -> Study:
    """The reconstructions as the faithfulness study sees them."""
    return Study(
        name=name,
        judged_by=kind,
        items=judged.items,
        settings=tuple(origin.setting for origin in judged.origins),
        originals=tuple(origin.image for origin in judged.origins),
        recognised=judged.recognised,
        judges=judged.judges,
        metrics=metrics,
    )


def auc_draws(study: Study, metric: Metric, draws: Draws) -> Floats:
    """AUC of a metric against the majority in each draw ``(1 + R,)``, the first being the study itself."""
    ranking = Ranking.of(metric.leakage)
    return np.concatenate(
        [auc(ranking, weights * study.majority, weights * ~study.majority) for _, weights in draws.weights()]
    )
