"""The settings of a set whose attacks left clients' updates unexplained: what such rows show is no sign of safety."""

from collections import Counter
from collections.abc import Sequence

from semsim_training.reconstructions.schema import ReconstructionRow

_NAMED = 10
"""The settings that a sentence names."""
_UNEXPLAINED = ("nothing_found", "diverged")
"""The statuses whose images explain no more of the update than images of no worth do."""


def unexplained_settings(rows: Sequence[ReconstructionRow]) -> str:
    """A sentence that names the settings in which attacks found nothing or diverged, the worst first; empty for none.

    ``2 of 12 settings: nothing found: b (6 of 6), a (1 of 6); ...`` counts rows. Of many settings it names the first,
    and says how many more there are.
    """
    sizes = Counter(row.setting for row in rows)
    lost = Counter(row.setting for row in rows if row.status in _UNEXPLAINED)
    if not lost:
        return ""
    ranked = sorted(lost, key=lambda setting: -lost[setting] / sizes[setting])
    named = ", ".join(f"{setting} ({lost[setting]} of {sizes[setting]})" for setting in ranked[:_NAMED])
    more = f" and {len(ranked) - _NAMED} more" if len(ranked) > _NAMED else ""
    told = f"{len(ranked)} of {len(sizes)} settings: nothing found: {named}{more}"
    return f"{told}; this says nothing about a client's safety"
