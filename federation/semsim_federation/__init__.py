"""SemSim inside federated learning: does this round leak, and may this update be sent?

>>> from semsim_federation import Audit, Guard, Inputs, LocalTraining
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semsim_federation.audit import Audit
    from semsim_federation.guard import Action, Decision, Guard
    from semsim_federation.leakage_report import Attempt, ImageLeakage, LeakageReport, LeakageVerdict
    from semsim_training.client_images.network_inputs import Inputs
    from semsim_training.gradients.update import LocalTraining

__all__ = [
    "Action", "Attempt", "Audit", "Decision", "Guard", "ImageLeakage", "Inputs", "LeakageReport", "LeakageVerdict",
    "LocalTraining",
]  # fmt: skip

_HOME = {
    "Audit": "semsim_federation.audit",
    **dict.fromkeys(("Action", "Decision", "Guard"), "semsim_federation.guard"),
    **dict.fromkeys(("Attempt", "ImageLeakage", "LeakageReport", "LeakageVerdict"), "semsim_federation.leakage_report"),
    "Inputs": "semsim_training.client_images.network_inputs",
    "LocalTraining": "semsim_training.gradients.update",
}


def __getattr__(name: str) -> Any:
    """Import the public names when first used: ``semsim --help`` then needs no PyTorch."""
    if name not in _HOME:
        raise AttributeError(f"module 'semsim_federation' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
