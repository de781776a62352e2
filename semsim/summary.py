"""The summary of many results in six numbers."""

from collections.abc import Iterable
from dataclasses import dataclass

from semsim.pairs import PairFailure
from semsim.scorer import PairScore


@dataclass(frozen=True, slots=True)
class Summary:
    """Totals over the pairs of one request or run."""

    pairs: int
    failed: int
    max_leakage: float | None
    """The largest leakage of all pairs that have one; None where no pair has one."""
    mean_leakage: float | None
    recognizable: int | None
    """The number of recognizable pairs; None where no pair has a leakage, so that nothing could be recognizable."""
    uninformative: int
    """The number of scored pairs of which nothing can be told; they have no leakage."""
    identified: int | None
    """The number of identified pairs; None where no pair has a chance, so that nothing could be identified."""


def summarize(results: Iterable[PairScore | PairFailure]) -> Summary:
    """Total up ``results``. Pairs that were not scored, and pairs without a leakage, count for no leakage."""
    everything = list(results)
    scores = [result for result in everything if isinstance(result, PairScore)]
    leakages = [score.leakage for score in scores if score.leakage is not None]
    told = [score.identified for score in scores if score.identified is not None]
    return Summary(
        pairs=len(everything),
        failed=len(everything) - len(scores),
        max_leakage=max(leakages, default=None),
        mean_leakage=sum(leakages) / len(leakages) if leakages else None,
        recognizable=sum(score.recognizable is True for score in scores) if leakages else None,
        uninformative=sum(score.uninformative is not None for score in scores),
        identified=sum(told) if told else None,
    )


def merge_summaries(summaries: Iterable[Summary]) -> Summary:
    """The summary of all results together of summaries of some each."""
    parts = list(summaries)
    # Each scored pair has a leakage, but for uninformative ones, and for all of a model without a calibration.
    leaking = [part for part in parts if part.mean_leakage is not None]
    counts = [part.pairs - part.failed - part.uninformative for part in leaking]
    identified = [part.identified for part in parts if part.identified is not None]
    return Summary(
        pairs=sum(part.pairs for part in parts),
        failed=sum(part.failed for part in parts),
        max_leakage=max((part.max_leakage or 0.0 for part in leaking), default=None),
        mean_leakage=sum((part.mean_leakage or 0.0) * count for part, count in zip(leaking, counts, strict=True))
        / sum(counts)
        if leaking
        else None,
        recognizable=sum(part.recognizable or 0 for part in leaking) if leaking else None,
        uninformative=sum(part.uninformative for part in parts),
        identified=sum(identified) if identified else None,
    )
