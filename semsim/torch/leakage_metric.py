"""The metric for training loops: leakage over many batches and processes."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from semsim.exceptions import NotCalibrated
from semsim.images import RGBImage, resize_batch
from semsim.pairs import require_comparable, require_scorable
from semsim.torch.differentiable import SemSim
from semsim.torch.level_resize import image_levels, pictures
from semsim.uninformative import Uninformative, settled, uninformative_pairs


class LeakageMetric(Metric):
    """The leakage of many pairs, for torchmetrics: ``update``, ``compute``, ``reset``, and sums over processes.

    Pairs of which nothing can be told have no leakage, and do not lower the mean: they are left out of it, and counted
    as ``uninformative``. The rule is that of :class:`semsim.scorer.Scorer`: the original shows nothing, or the
    reconstruction is blank, dim, moved or reordered beside it, and is not recognizable all the same. Look at that
    count before you call a mean low.

    Args:
        artifact: the directory of the artifact, or None for the bundled one.
        options: those of ``torchmetrics.Metric``.

    Raises:
        ArtifactError: the artifact is missing or invalid, or carries no calibration.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False

    pairs: Tensor
    uninformative: Tensor
    recognizable: Tensor
    leakage_sum: Tensor
    leakage_max: Tensor

    def __init__(self, artifact: Path | str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.semsim = SemSim(artifact)
        manifest = self.semsim.manifest
        if manifest.threshold is None:
            raise NotCalibrated(f"expected a calibrated model, got {manifest.name} {manifest.version}")
        self._threshold = manifest.threshold
        for name in ("pairs", "uninformative", "recognizable"):
            self.add_state(name, torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("leakage_sum", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("leakage_max", torch.tensor(-torch.inf, dtype=torch.float64), dist_reduce_fx="max")
        # A MetricCollection takes metrics for one whose states are equal after a batch, such as one of blank pairs.
        # This state keeps the metrics of two artifacts apart.
        digest = hashlib.sha256(manifest.model_dump_json().encode()).digest()
        self.add_state("artifact_digest", torch.tensor(list(digest)), dist_reduce_fx="max")

    def update(self, originals: Tensor, reconstructions: Tensor) -> None:
        """Add N pairs of images ``(N, 3, H, W)``, uint8 or floats in 0..1; the two may be of two sizes.

        Raises:
            InvalidTensor: a shape, a type or a value is not as :meth:`semsim.torch.SemSim.distance` takes it.
            ImageTooSmall: a side is under 7 pixels.
            InvalidPair: the reconstructions are sheets of several.
        """
        with torch.no_grad():
            # In double precision, as the scorer: single may round a leakage at the threshold to below it.
            leakages = self.semsim.leakage(self.semsim.distance(originals, reconstructions).double())
        recognizable = leakages >= self._threshold
        images = [list(pictures(image_levels(batch))) for batch in (originals, reconstructions)]
        reasons = self._reasons(images[0], images[1], recognizable.tolist())
        told = torch.tensor([reason is None for reason in reasons], dtype=torch.bool, device=leakages.device)
        self.pairs += len(told)
        self.uninformative += (~told).sum()
        self.recognizable += (recognizable & told).sum()
        self.leakage_sum += leakages[told].sum()
        if told.any():
            self.leakage_max = torch.maximum(self.leakage_max, leakages[told].max())

    def compute(self) -> dict[str, Tensor]:
        """The totals by name, which are those of :class:`semsim.summary.Summary`.

        ``pairs``; ``uninformative``: the pairs of which nothing can be told; of the others ``mean_leakage`` and
        ``max_leakage``, in [0, 1], and ``recognizable``, the number of those from the model's threshold on. Without any
        other pair both leakages are NaN, not 0.
        """
        told = self.pairs - self.uninformative
        nan = torch.full_like(self.leakage_sum, torch.nan)
        return {
            "mean_leakage": torch.where(told > 0, self.leakage_sum / told, nan),
            "max_leakage": torch.where(told > 0, self.leakage_max, nan),
            "recognizable": self.recognizable,
            "pairs": self.pairs,
            "uninformative": self.uninformative,
        }

    def _reasons(
        self, originals: Sequence[RGBImage], reconstructions: Sequence[RGBImage], recognizable: Sequence[bool]
    ) -> list[Uninformative | None]:
        """For each pair the reason why nothing can be told of it, if there is one."""
        alternating = [image for pair in zip(originals, reconstructions, strict=True) for image in pair]
        for image in alternating:
            require_scorable(image)
        for pair in zip(originals, reconstructions, strict=True):
            require_comparable(*pair)
        spec, rows = self.semsim.manifest.input, np.arange(len(alternating))
        resized = resize_batch(alternating, spec.height, spec.width, spec.filter)
        reasons = uninformative_pairs(originals, reconstructions, rows, resized, spec.filter)
        return settled(reasons, recognizable, resized, rows[0::2], rows[1::2])
