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
