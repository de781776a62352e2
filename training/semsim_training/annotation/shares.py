"""What share of the annotators recognised each reconstruction."""

from collections.abc import Iterable
from dataclasses import dataclass

from semsim_training.annotation.items import Shown
from semsim_training.annotation.judgements import AnnotatorKind, Judgement


@dataclass(frozen=True, slots=True)
class Share:
    """Of the annotators of one kind who judged an item."""

    recognised: int
    judged: int
    """At least 1."""

    @property
    def share(self) -> float:
        """0..1."""
        return self.recognised / self.judged

    @property
    def majority(self) -> bool:
        """Whether more recognised it than did not; half is no majority."""
        return 2 * self.recognised > self.judged


def recognised_shares(judgements: Iterable[Judgement], kind: AnnotatorKind) -> dict[str, Share]:
    """Item to how many annotators of ``kind`` recognised it; reconstructions, seen for the first time, alone."""
    found: dict[str, Share] = {}
    for one in judgements:
        if one.kind is kind and one.shown is Shown.RECONSTRUCTION and one.repeat == 0:
            before = found.get(one.item, Share(0, 0))
            found[one.item] = Share(before.recognised + one.recognised, before.judged + 1)
    return found
