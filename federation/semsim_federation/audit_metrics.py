"""Prometheus metrics of audits. None has a label for a client: it would say whom to attack."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from semsim_federation.leakage_report import LeakageReport, LeakageVerdict
from semsim_federation.series import told_share


class AuditMetrics:
    """The metrics ``semsim_fl_*`` of one process. Before the first audit they tell NaN, since 0 would say no leakage.

    Args:
        registry: the registry that they are in; a new one where it is None.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self._audits = Counter("semsim_fl_audits", "Audits by verdict.", ["verdict"], registry=self.registry)
        for verdict in LeakageVerdict:
            self._audits.labels(verdict)
        self._leakage = Gauge("semsim_fl_leakage_max", "The largest leakage of the last audit.", registry=self.registry)
        self._mean = Gauge("semsim_fl_leakage_mean", "The mean leakage of the last audit.", registry=self.registry)
        self._share = Gauge("semsim_fl_leaked_share", "The share of leaked images of it.", registry=self.registry)
        self._round = Gauge("semsim_fl_round", "The round of the last audit.", registry=self.registry)
        for untold in (self._leakage, self._mean, self._share, self._round):
            untold.set(float("nan"))
        self._last = Gauge(
            "semsim_fl_last_audit_time_seconds", "When the last audit ended; 0 before the first.",
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "semsim_fl_audit_seconds", "The duration of audits.", registry=self.registry,
            buckets=(0.1, 0.5, 1, 2, 5, 10, 20, 60, 120, 300),
        )  # fmt: skip

    def observe(self, report: LeakageReport | None) -> None:
        """Count one audit. A leakage or a share of leaked images that it could not tell is NaN, and not 0.

        The round of a report without one is NaN, too. None is an audit that broke off: it could not tell, and what the
        one before it told no longer stands.
        """
        if report is None:
            self._audits.labels(LeakageVerdict.COULD_NOT_TELL).inc()
            for untold in (self._leakage, self._mean, self._share, self._round):
                untold.set(float("nan"))
            self._last.set_to_current_time()
            return
        leakages = report.leakages
        self._audits.labels(report.verdict).inc()
        self._leakage.set(max(leakages, default=float("nan")))
        self._mean.set(sum(leakages) / len(leakages) if leakages else float("nan"))
        self._share.set(told_share(report))
        self._round.set(float("nan") if report.round is None else report.round)
        self._last.set_to_current_time()
        self._seconds.observe(report.seconds)
