"""SemSim in torch: the metric as a differentiable module, and as a metric of torchmetrics.

It needs torch and onnx, and :class:`LeakageMetric` also torchmetrics: ``pip install 'semsim[torch]'``. Nothing else of
the library imports torch.
"""

from typing import TYPE_CHECKING, Any

from semsim.exceptions import MissingExtra

try:
    import onnx  # noqa: F401
    import torch  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingExtra("semsim.torch needs torch and onnx: pip install 'semsim[torch]'") from error

from semsim.torch.differentiable import SemSim

if TYPE_CHECKING:
    from semsim.torch.leakage_metric import LeakageMetric

__all__ = ["LeakageMetric", "SemSim"]


def __getattr__(name: str) -> Any:
    """Import the metric when it is first used: the module itself needs no torchmetrics."""
    if name != "LeakageMetric":
        raise AttributeError(f"module 'semsim.torch' has no attribute {name!r}")
    try:
        from semsim.torch.leakage_metric import LeakageMetric
    except ModuleNotFoundError as error:
        raise MissingExtra("semsim.torch.LeakageMetric needs torchmetrics: pip install 'semsim[torch]'") from error
    return LeakageMetric
