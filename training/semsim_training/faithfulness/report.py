"""``report.json``: every figure of a study, with its interval."""

from collections.abc import Mapping

from pydantic import ConfigDict

from semsim.exceptions import InvalidDataset
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.configuration import Description, FrozenModel
from semsim_training.faithfulness.metric_agreement import Statistic
from semsim_training.faithfulness.metric_values import Direction
from semsim_training.statistics.intervals import CONFIDENCE

FORMAT_VERSION = 2
_SAME = 1.0 - 1e-9


class FiniteModel(FrozenModel):
    """A part of a report. Infinite values are counted and never written, since JSON has none."""

    model_config = ConfigDict(allow_inf_nan=False)


class Figure(FiniteModel):
    """A figure with its percentile interval."""

    value: float | None
    """``None`` where it is not defined, as when nothing was recognised."""
    low: float | None
    high: float | None
    draws: int
    """The number of draws in which it is defined."""


class MetricRecord(FiniteModel):
    """A metric."""

    name: str
    direction: Direction
    infinite: int
    """The number of items with an infinite value."""


class Agreement(FiniteModel):
    """The agreement of a metric with the annotators; higher = better, whatever the metric's direction."""

    metric: str
    statistic: Statistic
    figure: Figure


class Difference(FiniteModel):
    """The lead of ``first`` over ``second`` in agreement with the annotators, over the same draws."""

    first: str
    second: str
    statistic: Statistic
    figure: Figure

    @property
    def better(self) -> str | None:
        """The metric that agrees further, where the interval leaves out 0."""
        if self.figure.low is not None and self.figure.low > 0:
            return self.first
        return self.second if self.figure.high is not None and self.figure.high < 0 else None


class MetricMean(FiniteModel):
    """A metric's mean over a setting, in its own unit."""

    metric: str
    figure: Figure


class SettingRecord(FiniteModel):
    """A setting."""

    name: str
    images: int
    share: Figure
    """The mean recognised share of its images."""
    means: tuple[MetricMean, ...]


class VictimsRecord(FiniteModel):
    """Metrics over the reconstructions from trained victims alone, or from untrained ones."""

    trained: bool
    images: int
    originals: int
    recognised_majority: float
    agreement: tuple[Agreement, ...]
    """AUC over images and over judgements."""
    leads: tuple[Difference, ...]
    """The lead of each metric over the best other one, in AUC over images."""

    @property
    def ranked(self) -> tuple[str, ...]:
        """The metrics, from the one that agrees furthest over images to the least."""
        over_images = [one for one in self.agreement if one.statistic is Statistic.AUC]
        return tuple(one.metric for one in sorted(over_images, key=lambda one: -(one.figure.value or 0)))

    def figure(self, metric: str, statistic: Statistic) -> Figure:
        """The agreement of ``metric`` with the annotators by ``statistic``."""
        return next(one.figure for one in self.agreement if (one.metric, one.statistic) == (metric, statistic))

    def lead(self, metric: str) -> Difference | None:
        """The lead of ``metric`` over the best other one; ``None`` where there is no other."""
        return next((one for one in self.leads if one.first == metric), None)


class Correlations(FiniteModel):
    """Spearman between the annotators and all metrics, each turned so that higher means more leakage."""

    names: tuple[str, ...]
    images: tuple[tuple[float | None, ...], ...]
    settings: tuple[tuple[float | None, ...], ...]

    @property
    def twins(self) -> dict[str, str]:
        """Each metric that ranks images as an earlier one does, and the earlier one: PSNR is MSE on another scale."""
        twins: dict[str, str] = {}
        for row, name in enumerate(self.names):
            for column, other in enumerate(self.names[:row]):
                if other not in twins and (self.images[row][column] or 0.0) > _SAME:
                    twins[name] = other
        return twins


class SettingPair(FiniteModel):
    """Two settings that two metrics, or the annotators and a metric, order differently."""

    first: str
    second: str
    leaky: str
    """The setting that leaks more by ``first`` and less by ``second``."""
    safe: str
    """The setting that leaks less by ``first`` and more by ``second``."""
    margin_first: float
    """The difference of the two settings by ``first``, in standard deviations over images."""
    margin_second: float
    """The difference of the two settings by ``second``, in standard deviations over images."""
    held: float
    """The share of draws in which both say so."""


class ImagePair(FiniteModel):
    """A reconstruction that leaks by ``first``, and does not by ``second``."""

    first: str
    second: str
    item: str
    setting: str
    recognised: int
    """The number of annotators who recognised it."""
    annotators: int
    """The number of annotators who judged it."""
    rank_first: float
    """The rank of the reconstruction by ``first``, 0..1 from the least leakage of the study to the most."""
    rank_second: float
    """The rank of the reconstruction by ``second``."""


class SettingFid(FiniteModel):
    """FID between the originals and the reconstructions of a setting."""

    setting: str
    value: float
    images: int


class FidRecord(FiniteModel):
    """FID by setting, and its agreement with the annotators. A setting has one FID, hence there is no interval."""

    extractor: str
    dimension: int
    settings: tuple[SettingFid, ...]
    spearman: float | None
    kendall: float | None
    pearson: float | None

    @property
    def rank_deficient(self) -> tuple[str, ...]:
        """The settings with too few images for a covariance of full rank."""
        return tuple(one.setting for one in self.settings if one.images <= self.dimension)


class FaithfulnessReport(FiniteModel, Description):
    """Everything that was measured."""

    CONTENT = "a faithfulness report"
    REFUSAL = InvalidDataset

    format_version: int = FORMAT_VERSION
    name: str
    source: str
    judged_by: AnnotatorKind
    images: int
    originals: int
    judgements: int
    annotators_an_image: tuple[int, int]
    """The least and the greatest number of annotators of an image."""
    recognised_judgements: float
    """The share of judgements that named the original's class."""
    recognised_majority: float
    """The share of images that more than half of their annotators recognised."""
    left_out: dict[str, int]
    """The settings of fewer than five images, with their numbers of images."""
    draws: int
    seed: int
    confidence: float = CONFIDENCE
    metrics: tuple[MetricRecord, ...]
    settings: tuple[SettingRecord, ...]
    agreement: tuple[Agreement, ...]
    differences: tuple[Difference, ...]
    victims: tuple[VictimsRecord, ...] = ()
    """Trained and untrained victims apart; empty where a table holds the judgements, which does not tell them."""
    correlations: Correlations
    setting_pairs: tuple[SettingPair, ...]
    image_pairs: tuple[ImagePair, ...]
    fid: FidRecord | None = None
    versions: Mapping[str, str]

    def figure(self, metric: str, statistic: Statistic) -> Figure:
        """The agreement of ``metric`` with the annotators by ``statistic``."""
        return next(one.figure for one in self.agreement if (one.metric, one.statistic) == (metric, statistic))

    @property
    def ranked(self) -> tuple[str, ...]:
        """The metrics, from the one that agrees furthest over images (AUC) to the least."""
        return tuple(
            sorted(
                (metric.name for metric in self.metrics),
                key=lambda name: -(self.figure(name, Statistic.AUC).value or 0),
            )
        )
