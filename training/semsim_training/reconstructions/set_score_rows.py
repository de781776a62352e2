"""The scored reconstructions of a set as the rows of a table."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Self

from semsim.bulk.rows import ScoreRow
from semsim.pairs import PairFailure
from semsim_training.reconstructions.scored_rows import ScoredRow


@dataclass(frozen=True, slots=True)
class SetScoreRow(ScoreRow):
    """One reconstruction of a set: the columns of a pair of two directories, and what the set says of it."""

    setting: str = ""
    """Name of the setting."""
    status: str = ""
    """The end of the attack on the client's whole batch: matched, partly, nothing_found or diverged; done in
    sets that do not tell."""
    explained: float | None = None
    """The share of the client's update that the reconstructions of it explain; ``None`` where the set does not say,
    and where it is no finite number."""

    @classmethod
    def of_row(cls, scored: ScoredRow) -> Self:
        """The row of a scored reconstruction. The original is named by its data set, the reconstruction by setting."""
        row, outcome = scored.row, scored.outcome
        scores: dict[str, Any]
        if isinstance(outcome, PairFailure):
            scores = {"error_code": outcome.code.value, "error_message": outcome.message}
        else:
            scores = asdict(outcome)
        return cls(
            original=f"{row.dataset}/{row.image}",
            reconstruction=f"{row.setting}/{row.image}",
            setting=row.setting,
            status=row.status,
            # An update near zero is explained worse than a float can say, and JSON has no infinity.
            explained=row.explained if row.explained is not None and math.isfinite(row.explained) else None,
            **scores,
        )
