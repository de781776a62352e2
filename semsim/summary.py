"""The summary of many results in five numbers."""

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
    """The largest leakage of the scored pairs; None where none was scored or the model is not calibrated."""
    mean_leakage: float | None
    recognizable: int | None
    """The number of recognizable pairs; None where the model is not calibrated."""


def summarize(results: Iterable[PairScore | PairFailure], *, calibrated: bool) -> Summary:
    """Total up ``results`` of a model that is ``calibrated`` or not."""
    everything = list(results)
    scores = [result for result in everything if isinstance(result, PairScore)]
    leakages = [score.leakage for score in scores if score.leakage is not None]
    return Summary(
        pairs=len(everything),
        failed=len(everything) - len(scores),
        max_leakage=max(leakages, default=None),
        mean_leakage=sum(leakages) / len(leakages) if leakages else None,
        recognizable=sum(score.recognizable is True for score in scores) if calibrated else None,
    )
