"""SemSim inside federated learning: does this round leak, and may this update be sent?

>>> from semsim_federation import Audit, Guard, Inputs, LocalTraining
"""

from semsim_federation.audit import Audit
from semsim_federation.guard import Action, Decision, Guard
from semsim_federation.leakage_report import Attempt, ImageLeakage, LeakageReport, LeakageVerdict
from semsim_training.client_images.network_inputs import Inputs
from semsim_training.gradients.update import LocalTraining

__all__ = [
    "Action",
    "Attempt",
    "Audit",
    "Decision",
    "Guard",
    "ImageLeakage",
    "Inputs",
    "LeakageReport",
    "LeakageVerdict",
    "LocalTraining",
]  # fmt: skip
