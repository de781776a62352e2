"""Flower: a mod that audits a client's update before it leaves, and a probe with public images at the server.

Both speak Flower's Message API (flwr >= 1.42).

>>> from semsim_federation.flower import LeakageGuard, leakage_probe
"""

from semsim_federation.flower_guard import LeakageGuard
from semsim_federation.flower_probe import leakage_probe

__all__ = ["LeakageGuard", "leakage_probe"]
