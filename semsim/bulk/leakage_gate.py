"""The gate of a run: the limits that leakage must keep, and in words why it does not."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from semsim.bulk.earlier_run import EarlierRun, leakages_of, risen
from semsim.bulk.rows import ScoreRow
from semsim.exceptions import InvalidOption
from semsim.manifest import Manifest


def limit_at(threshold: float | None) -> float | None:
    """The largest number below a model's threshold: above it are the recognizable pairs, those at the threshold too."""
    return None if threshold is None else math.nextafter(threshold, 0.0)


@dataclass(frozen=True, slots=True)
class LeakageLimits:
    """The limits of a gate."""

    above: float | None = None
    """The leakage that pairs may have."""
    share: float = 0.0
    """The share of pairs that may be above it, in [0, 1)."""
    baseline: EarlierRun | None = None
    """An earlier run over which leakage may not rise."""
    margin: float | None = None
    """How far the mean leakage and the share may rise; None = as far as draws of the baseline's originals reach."""

    @property
    def is_gate(self) -> bool:
        """True where anything is limited."""
        return self.above is not None or self.baseline is not None

    def kept_by(self, above: int, told: int, highest: str) -> tuple[str, bool]:
        """Say how pairs keep the limit, and whether they do.

        Args:
            above: the number of pairs above the limit.
            told: the number of pairs that have a leakage, at least 1.
            highest: the highest leakage, in words.
        """
        share = above / told
        allowed = f" ({share:.2%}, of which {self.share:.2%} may be)" if self.share else ""
        return f"{above} of {told} pairs above {self.above:g}{allowed}, {highest}", share <= self.share

    def check_model(self, manifest: Manifest) -> None:
        """Refuse a baseline of another model, whose leakages are other numbers.

        Raises:
            InvalidOption: the models differ.
        """
        before = None if self.baseline is None else self.baseline.model_sha256
        if self.baseline is not None and before not in (None, manifest.graph.sha256):
            raise InvalidOption(
                f"expected a baseline by the model of this run, sha256 {manifest.graph.sha256[:12]}, got one by "
                f"{str(before)[:12]}: {self.baseline.path}"
            )


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """The outcome of a gate."""

    reasons: tuple[str, ...] = ()
    """Sentences about leakage that is past a limit."""
    unseen: tuple[str, ...] = ()
    """Sentences about pairs that the gate did not see, so that it cannot pass. Those that failed or are uninformative
    are counted by the summary of the run."""
    exceeding: tuple[ScoreRow, ...] = ()
    """The pairs above the limit, the worst first; empty where rows are too many to be named."""
    above: int = 0
    """The number of pairs above the limit."""
    summary: str = ""
    """How the pairs keep the limit."""


def judge(limits: LeakageLimits, rows: Sequence[ScoreRow], threshold: float | None) -> GateOutcome:
    """Hold the pairs of a run against the limits; ``threshold`` is that of the model, for shares without a limit."""
    if not limits.is_gate:
        return GateOutcome()
    told = [row for row in rows if row.leakage is not None]
    exceeding: list[ScoreRow] = []
    reasons, summary = [], ""
    if limits.above is not None and told:
        ranked = sorted(told, key=lambda row: -(row.leakage or 0.0))
        exceeding = [row for row in ranked if not (row.leakage or 0.0) <= limits.above]
        word = "worst" if exceeding else "highest"
        highest = f"{word} {ranked[0].reconstruction}, {ranked[0].leakage:.2f}"
        summary, is_kept = limits.kept_by(len(exceeding), len(told), highest)
        if not is_kept:
            reasons.append(summary)
    untold = sum(row.leakage is None and row.error_code is None and row.uninformative is None for row in rows)
    unseen = [f"{untold} of {len(rows)} pairs have no leakage"] if untold else []
    if limits.baseline is not None:
        limit = limit_at(threshold) if limits.above is None else limits.above
        more_reasons, missing = _beside(limits.baseline, rows, limit, limits)
        reasons += more_reasons
        unseen += missing
    return GateOutcome(tuple(reasons), tuple(unseen), tuple(exceeding), len(exceeding), summary)


def _beside(
    baseline: EarlierRun, rows: Sequence[ScoreRow], limit: float | None, limits: LeakageLimits
) -> tuple[list[str], list[str]]:
    """Sentences about leakage that rose, and about missing pairs. New pairs and old ones hide no rise of each other."""
    now = leakages_of(rows)
    missing = [name for name in baseline.leakages if name not in now]
    unseen = []
    if missing:
        example = " -> ".join(missing[0])
        unseen.append(
            f"{len(missing)} of {len(baseline.leakages)} pairs of the baseline are missing, such as {example}"
        )
    common = {name: leakage for name, leakage in now.items() if name in baseline.leakages}
    before = {name: baseline.leakages[name] for name in common}
    reasons = []
    if common:
        what_rose = risen(before, common, limit, limits.margin)
        reasons = [f"of the pairs of the baseline {what}" for what in what_rose]
    if len(common) < len(now):
        what_rose = risen(baseline.leakages, now, limit, limits.margin)
        reasons += [f"with {len(now) - len(common)} new pairs {what}" for what in what_rose]
    return reasons, unseen
