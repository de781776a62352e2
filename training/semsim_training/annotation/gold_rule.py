"""The rule by which annotators count: those who know what gold items show, and that noise shows nothing."""

from collections import defaultdict
from collections.abc import Iterable

from pydantic import Field

from semsim_training.annotation.items import Shown
from semsim_training.annotation.judgements import Judgement
from semsim_training.configuration import FrozenModel


class GoldRule(FrozenModel):
    """The least shares of gold items, over all sets that an annotator judged."""

    clean: float = Field(default=0.8, ge=0, le=1)
    """The share of clean originals that are given their class."""
    noise: float = Field(default=0.9, ge=0, le=1)
    """The share of images of noise that are called unrecognizable."""

    def failed(self, judgements: Iterable[Judgement]) -> frozenset[str]:
        """The annotators who do not keep the rule, or who were shown no gold items of one kind."""
        right: dict[tuple[str, Shown], list[bool]] = defaultdict(list)
        annotators = set()
        for one in judgements:
            annotators.add(one.annotator)
            if one.repeat == 0 and one.shown is not Shown.RECONSTRUCTION:
                right[one.annotator, one.shown].append(
                    one.recognised if one.shown is Shown.CLEAN else one.answer is None
                )
        return frozenset(
            annotator
            for annotator in annotators
            for shown, least in ((Shown.CLEAN, self.clean), (Shown.NOISE, self.noise))
            if not right[annotator, shown] or sum(right[annotator, shown]) < least * len(right[annotator, shown])
        )
