"""The part of a configuration that names reconstruction sets and the judgements of them."""

from pathlib import Path

from pydantic import Field

from semsim.manifest import Annotators
from semsim_training.annotation.gold_rule import GoldRule
from semsim_training.annotation.judgements import AnnotatorKind, read
from semsim_training.configuration import FrozenModel, expanded
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet


class JudgedSource(FrozenModel):
    """A reconstruction set and the judgements of it. Paths may name variables: ``$SEMSIM_DATA``."""

    dataset: Path
    """The directory of the set."""
    annotations: Path
    """The directory of the table of judgements."""

    def read(self, base: Path, kind: AnnotatorKind, gold: GoldRule | None = None) -> JudgedSet:
        """Read the set and the judgements of one kind of annotator who keep ``gold``; paths are relative to ``base``.

        Raises:
            InvalidDataset: the set is not there or not finished.
            InvalidAnnotations: the table has no judgement of this kind, or one of something else.
        """
        source = ReconstructionSet.read(base / expanded(self.dataset))
        return JudgedSet.read(source, base / expanded(self.annotations), kind, gold)


class JudgedSources(FrozenModel):
    """The judged sets that a training or an evaluation reads."""

    sets: tuple[JudgedSource, ...] = Field(min_length=1)
    kind: AnnotatorKind
    """The annotators whose judgements are read; those of others are not."""
    gold: GoldRule | None = None
    """The rule that the annotators must keep; ``None`` where all of the kind count."""

    def read(self, base: Path) -> JudgedSet:
        """Read all sets as one, with the errors of :meth:`JudgedSource.read`."""
        return JudgedSet.joined("all", [one.read(base, self.kind, self.gold) for one in self.sets])

    def annotators(self, base: Path) -> Annotators:
        """The annotators whose judgements count, for the description of a checkpoint."""
        tables = dict.fromkeys(base / expanded(source.annotations) for source in self.sets)
        counted = set()
        for table in tables:
            of_kind = [one for one in read(table) if one.kind is self.kind]
            failed = frozenset[str]() if self.gold is None else self.gold.failed(of_kind)
            counted |= {(one.annotator, one.protocol) for one in of_kind if one.annotator not in failed}
        names, protocols = (sorted({pair[side] for pair in counted}) for side in (0, 1))
        return Annotators(kind=self.kind.value, count=len(names), detail=f"{', '.join(names)}; {', '.join(protocols)}")
