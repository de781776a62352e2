"""``training.json``: the measure of a training, beside the checkpoint."""

from semsim.exceptions import InvalidCheckpoint
from semsim.manifest import HeldOutResult
from semsim_training.configuration import Description, FrozenModel
from semsim_training.metric.changes import Changed
from semsim_training.metric.metric_comparison import Comparison


class TrainingRun(FrozenModel):
    """The network of one seed, or the mean of several."""

    name: str
    validation_auc: float
    test_auc: float


class Bin(FrozenModel):
    """A bin of the reliability diagram on test."""

    leakage: float
    """The mean leakage that was predicted."""
    share: float
    """The mean recognised share."""
    items: int


class TrainingReport(Description):
    """The measure of a training."""

    CONTENT = "a finished training"
    REFUSAL = InvalidCheckpoint
    FILE = "training.json"

    recipe: str
    split: dict[str, int]
    """The number of reconstructions in each split; the original decides it."""
    recognised: dict[str, float]
    """The share of each split that the majority of annotators recognised."""
    runs: tuple[TrainingRun, ...]
    chosen: str
    """The name of the run with the best AUC on validation."""
    calibration: str
    brier: dict[str, float]
    """The Brier score of each kind of calibration, on held-out originals of validation."""
    threshold: float
    """The threshold with the greatest F2 on validation."""
    strangers_recognizable: float
    """The share of pairs of test originals of different classes that is called recognizable."""
    siblings_recognizable: float
    """The share of pairs of different test originals of one class that is called recognizable."""
    changes: tuple[Changed, ...]
    """The leakage of simple changes of test originals."""
    reliability: tuple[Bin, ...]
    results: tuple[HeldOutResult, ...]
    comparisons: tuple[Comparison, ...]
    """Comparisons with other metrics on test: all sets together, each data set, trained and untrained victims."""
