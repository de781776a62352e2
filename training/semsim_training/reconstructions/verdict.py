"""The statement that the scored reconstructions of a setting allow. None of them says that anything is safe."""

from collections.abc import Sequence
from enum import StrEnum

from semsim_training.reconstructions.scored_rows import ScoredRow, by_setting


class Verdict(StrEnum):
    """The statements about a setting."""

    LEAKS = "leaks"
    """At least one reconstruction is recognizable."""
    NOT_SHOWN = "not shown to leak by this attack"
    """Nothing was found, or what was found is not recognizable. Another attack may find more."""
    UNKNOWN = "could not tell"
    """Every attack diverged, or a reconstruction that may show something has no leakage."""


def verdict_of(rows: Sequence[ScoredRow]) -> Verdict:
    """The statement about the setting of these rows."""
    if any(one.score is not None and one.score.recognizable for one in rows):
        return Verdict.LEAKS
    finished = [one for one in rows if one.row.done]
    judged = [
        one.row.status == "nothing_found" or (one.score is not None and one.score.recognizable is not None)
        for one in finished
    ]
    return Verdict.NOT_SHOWN if judged and all(judged) else Verdict.UNKNOWN


def untold_settings(rows: Sequence[ScoredRow]) -> list[str]:
    """The names of the settings whose attacks found nothing, diverged or have no leakage, all of them.

    A low leakage of such rows says nothing of their clients. A row has none where it was not scored, or where its
    original shows nothing.
    """
    return [
        setting
        for setting, alike in by_setting(rows).items()
        if all(one.score is None or one.score.leakage is None or one.row.status == "nothing_found" for one in alike)
    ]
