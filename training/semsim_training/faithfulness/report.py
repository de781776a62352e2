"""``report.json``: every figure of a study, with its interval."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from semsim.exceptions import InvalidDataset
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.configuration import read_description
from semsim_training.faithfulness.metric_agreement import Statistic
from semsim_training.faithfulness.study import Direction

FORMAT_VERSION = 1
CONFIDENCE = 0.95
_SAME = 1.0 - 1e-9


class _Record(BaseModel):
    # Infinite values are counted, never written: JSON has none.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Figure(_Record):
    """A figure with its percentile interval."""

    value: float | None
    """``None``: not defined, as when nothing was recognised."""
    low: float | None
    high: float | None
    draws: int
    """In which it is defined."""


class MetricRecord(_Record):
    """A metric."""

    name: str
    direction: Direction
    infinite: int
    """Values, of items."""


class Agreement(_Record):
    """How far a metric agrees with the judges; higher = better, whatever the metric's direction."""

    metric: str
    statistic: Statistic
    figure: Figure


class Difference(_Record):
    """How much further ``first`` agrees with the judges than ``second``, over the same draws."""

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


class MetricMean(_Record):
    """A metric's mean over a setting, in its own unit."""

    metric: str
    figure: Figure


class SettingRecord(_Record):
    """A setting."""

    name: str
    images: int
    share: Figure
    """Of judges who recognised, mean over its images."""
    means: tuple[MetricMean, ...]


class Correlations(_Record):
    """Spearman between the judges and all metrics, each turned so that higher means more leakage."""

    names: tuple[str, ...]
    images: tuple[tuple[float | None, ...], ...]
    settings: tuple[tuple[float | None, ...], ...]

    @property
    def twins(self) -> dict[str, str]:
        """The metrics that rank images as an earlier one does, and which: PSNR is MSE on another scale."""
        found: dict[str, str] = {}
        for row, name in enumerate(self.names):
            for column, other in enumerate(self.names[:row]):
                if other not in found and (self.images[row][column] or 0.0) > _SAME:
                    found[name] = other
        return found


class SettingPair(_Record):
    """By ``first`` the setting ``leaky`` leaks more than ``safe``, by ``second`` less."""

    first: str
    second: str
    leaky: str
    safe: str
    margin_first: float
    """In standard deviations over images."""
    margin_second: float
    held: float
    """Share of the draws in which both say so."""


class ImagePair(_Record):
    """A reconstruction of which ``first`` says that it leaks, and ``second`` that it does not."""

    first: str
    second: str
    item: str
    setting: str
    recognised: int
    judges: int
    rank_first: float
    """0..1, from the least leakage of the study to the most."""
    rank_second: float


class SettingFid(_Record):
    """FID between the originals and the reconstructions of a setting."""

    setting: str
    value: float
    images: int


class FidRecord(_Record):
    """FID by setting, and its agreement with the judges: a set has one FID, hence no interval."""

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


class FaithfulnessReport(_Record):
    """Everything that was measured."""

    format_version: int = FORMAT_VERSION
    name: str
    source: str
    judged_by: AnnotatorKind
    images: int
    originals: int
    votes: int
    judges_an_image: tuple[int, int]
    """The least and the most."""
    recognised_votes: float
    """Share of all votes."""
    recognised_majority: float
    """Share of images that more than half of their judges recognised."""
    left_out: dict[str, int]
    """Settings of fewer than five images, and how many each has."""
    draws: int
    seed: int
    confidence: float = CONFIDENCE
    metrics: tuple[MetricRecord, ...]
    settings: tuple[SettingRecord, ...]
    agreement: tuple[Agreement, ...]
    differences: tuple[Difference, ...]
    correlations: Correlations
    setting_pairs: tuple[SettingPair, ...]
    image_pairs: tuple[ImagePair, ...]
    fid: FidRecord | None = None
    versions: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a report.

        Raises:
            InvalidDataset: no such file, or it does not fit the schema.
        """
        return read_description(cls, path, InvalidDataset, "a faithfulness report")

    def figure(self, metric: str, statistic: Statistic) -> Figure:
        """How far ``metric`` agrees with the judges by ``statistic``."""
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
