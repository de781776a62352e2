"""SemSim in the place of SSIM in NVFLARE's own research on gradient inversion."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from semsim import Scorer
from semsim.exceptions import InvalidConfiguration, InvalidImage, InvalidPair
from semsim.images import RGBImage

try:  # the filter of the research code takes components of its own base class alone
    from nvflare_gradinv.filters.image_sim import SimMetric
except ImportError:
    from nvflare.apis.fl_component import FLComponent as SimMetric

_VALUES = ("leakage", "distance")


class SemSimMetric(SimMetric):  # type: ignore[misc]  # nvflare has no types
    """A ``SimMetric`` of NVFLARE's ``research/quantifying-data-leakage``.

    It answers as that project's ``ImageSimMetric`` does (``src/nvflare_gradinv/filters/image_sim.py``; Hatamizadeh et
    al., "Do Gradient Inversion Attacks Make Federated Learning Unsafe?", IEEE TMI 2023), so that
    ``RelativeDataLeakageValueFilter`` takes it as its ``sim_metric``. Leakage grows with the likeness, as its
    ``rdlv_reduce="max"`` and its threshold expect; a distance falls, and is for reading alone. Without a prior image
    the threshold is one of leakage; with one, it is one of leakage relative to the prior's.

    Args:
        metrics: ``leakage``, ``distance``, or a list of both. The filter's threshold regards each of them.
        artifact: the directory of the model artifact, or None for the bundled one.

    Raises:
        InvalidConfiguration: another metric.
    """

    def __init__(self, metrics: str | list[str] | None = None, artifact: str | None = None) -> None:
        super().__init__()
        self.metrics = [metrics] if isinstance(metrics, str) else list(metrics or ["leakage"])
        self.artifact = artifact
        if not self.metrics or not set(self.metrics) <= set(_VALUES):
            raise InvalidConfiguration(f"expected the metrics {' and '.join(_VALUES)}, got {metrics}")
        self._scorer: Scorer | None = None

    def __call__(
        self, source: Any, reference: Any, fl_ctx: Any = None, is_channel_first: bool = False
    ) -> dict[str, float]:
        """Score one reconstruction against one image.

        Args:
            source: the reconstruction, of NumPy or PyTorch, 0..1 or 0..255, ``(H, W, C)`` with one, three or more
                channels, of which the first three count.
            reference: the client's image, in the same form.
            fl_ctx: NVFLARE's context; it is not read.
            is_channel_first: True for ``(C, W, H)``, as MONAI's readers give images.

        Returns:
            Each of ``metrics`` with its value.

        Raises:
            InvalidImage: an array is no image, or has values outside 0..255.
            InvalidPair: the pair has no leakage, since one of its images shows nothing, for example. The research
                filter then fails, and NVFLARE sends no update: nobody could tell whether it leaks.
        """
        self._scorer = self._scorer or Scorer(self.artifact)
        original, reconstruction = _image(reference, is_channel_first), _image(source, is_channel_first)
        (score,) = self._scorer.score_images([original], [reconstruction])
        values = {"distance": score.distance}
        if "leakage" in self.metrics:
            if score.leakage is None:
                reason = score.uninformative.reason if score.uninformative else "the model is not calibrated"
                raise InvalidPair(f"expected a pair that has a leakage, got another one: {reason}")
            values["leakage"] = score.leakage
        return {name: values[name] for name in self.metrics}


def _image(value: Any, is_channel_first: bool) -> RGBImage:
    array: NDArray[np.float64] = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value, np.float64)
    if is_channel_first and array.ndim == 3:
        array = np.swapaxes(array, -1, 0)
    if array.ndim != 3 or array.shape[-1] not in (1, 3, 4):
        raise InvalidImage(f"expected an image with 1, 3 or 4 channels, got an array of shape {array.shape}")
    array = np.repeat(array, 3, axis=-1) if array.shape[-1] == 1 else array[..., :3]
    if array.max() <= 1:
        array = array * 255
    if not (array.min() >= 0 and array.max() <= 255):  # not-a-number fails both
        raise InvalidImage(f"expected values of 0..1 or 0..255, got {array.min():g}..{array.max():g}")
    return np.ascontiguousarray(np.round(array).astype(np.uint8))
