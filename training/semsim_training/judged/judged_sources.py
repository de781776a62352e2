"""The part of a configuration that names reconstruction sets and the judgements of them."""

from collections.abc import Collection
from pathlib import Path
from typing import Self

from pydantic import Field

from semsim.exceptions import InvalidAnnotations
from semsim.manifest import Annotators
from semsim_training.annotation.gold_rule import GoldRule
from semsim_training.annotation.judgements import AnnotatorKind, read
from semsim_training.configuration import FrozenModel, expanded
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.judged.pair import pairs_of
from semsim_training.reconstructions.dataset import DatasetDescription
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet


class JudgedSource(FrozenModel):
    """A reconstruction set and the judgements of it. Paths may name variables: ``$SEMSIM_DATA``."""

    dataset: Path
    """The directory of the set."""
    annotations: Path
    """The directory of the table of judgements."""
    when_finished: bool = False
    """True: the set is left out, and that is told, until it is finished and each of its reconstructions is judged."""

    def reason_against(self, base: Path, kind: AnnotatorKind) -> str | None:
        """The reason for which a set with ``when_finished`` is left out yet; ``None`` where it is not."""
        directory = base / expanded(self.dataset)
        if not self.when_finished:
            return None
        if not (directory / DatasetDescription.FILE).exists():
            return "it is not finished"
        source = ReconstructionSet.read(directory)
        items = {pair.item for pair in pairs_of(source)}
        table = read(base / expanded(self.annotations))
        judged = {one.item for one in table if one.kind is kind and one.dataset == source.name}
        missing = len(items - judged)
        return f"{missing:,} of its {len(items):,} reconstructions have no judgement by a {kind}" if missing else None

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

    def finished(self, base: Path) -> tuple[Self, dict[str, str]]:
        """The same without the sets that are left out yet, and why each of these is, by its directory's name.

        Raises:
            InvalidAnnotations: no set is left.
        """
        reasons = {one.dataset.name: one.reason_against(base, self.kind) for one in self.sets}
        left_out = {name: reason for name, reason in reasons.items() if reason is not None}
        kept = tuple(one for one in self.sets if one.dataset.name not in left_out)
        if not kept:
            raise InvalidAnnotations(f"expected a set that is finished and judged, got {', '.join(left_out)}")
        return self.model_copy(update={"sets": kept}), left_out

    def named(self, names: Collection[str]) -> Self:
        """The same with the sets alone whose directories have one of ``names``."""
        return self.model_copy(update={"sets": tuple(one for one in self.sets if one.dataset.name in names)})

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the sets' directories, in order."""
        return tuple(one.dataset.name for one in self.sets)

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
