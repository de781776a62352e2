"""SemSim in NVFLARE: a filter that audits a client's updates, and the metric for NVFLARE's own research code."""

from semsim_federation.nvflare_client import AuditedClient
from semsim_federation.nvflare_filter import LeakageFilter
from semsim_federation.nvflare_metric import SemSimMetric

__all__ = ["AuditedClient", "LeakageFilter", "SemSimMetric"]
