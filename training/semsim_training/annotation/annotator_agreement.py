"""The agreement of annotators with each other, with gold items and with themselves, for each kind of annotator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.items import Shown
from semsim_training.annotation.judgements import AnnotatorKind, Judgement
from semsim_training.statistics.intervals import Rate
from semsim_training.statistics.krippendorff import Alpha, nominal_alpha


@dataclass(frozen=True, slots=True)
class AnnotatorReport:
    """One annotator's judgements. A second judgement of an item counts for ``repeats`` alone."""

    annotator: str
    recognised: Rate
    """The share of the judged reconstructions whose original's class was given."""
    clean: Rate
    """The share of the clean gold items whose class was given."""
    noise: Rate
    """The share of the gold noise that was called unrecognizable."""
    repeats: Rate
    """The share of the items shown twice that were given the same answer twice."""


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """The annotators of one kind on one reconstruction set."""

    dataset: str
    kind: AnnotatorKind
    items: int
    """The number of reconstructions that were judged."""
    classes: Alpha
    """Agreement on the answer: a class, or unrecognizable."""
    recognised: Alpha
    """Agreement on recognised or not: the original's class, or any other answer."""
    drawn: str
    """originals where they are known, else items: the bootstrap draws these."""
    draws: int
    """The number of draws that the bootstrap made."""
    annotators: tuple[AnnotatorReport, ...]


def agreement_reports(
    judgements: Sequence[Judgement],
    originals: Mapping[str, Mapping[str, str]] | None = None,
    *,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[AgreementReport, ...]:
    """A report for each set and kind of annotator, in the order of their names.

    Alpha counts first showings of reconstructions: gold items would raise it, and repeats are no second opinion.

    Args:
        judgements: judgements of any sets and annotators.
        originals: the name of each item's original, by set and item; with it, the bootstrap draws originals, not items.
        draws: how many draws the bootstrap makes.
        seed: the bootstrap's seed.

    Raises:
        InvalidAnnotations: an item was judged that the set of its name does not have.
    """
    groups: dict[tuple[str, AnnotatorKind], list[Judgement]] = {}
    for judgement in judgements:
        groups.setdefault((judgement.dataset, judgement.kind), []).append(judgement)
    return tuple(
        _report(dataset, kind, groups[dataset, kind], (originals or {}).get(dataset), draws, seed)
        for dataset, kind in sorted(groups)
    )


def _report(
    dataset: str,
    kind: AnnotatorKind,
    judgements: Sequence[Judgement],
    originals: Mapping[str, str] | None,
    draws: int,
    seed: int,
) -> AgreementReport:
    firsts = [
        judgement for judgement in judgements if judgement.shown is Shown.RECONSTRUCTION and judgement.repeat == 0
    ]
    groups = None
    if originals is not None:
        unknown = next((judgement.item for judgement in firsts if judgement.item not in originals), None)
        if unknown is not None:
            raise InvalidAnnotations(f"expected judgements of items in {dataset}, got one of {unknown}")
        groups = [originals[judgement.item] for judgement in firsts]
    return AgreementReport(
        dataset,
        kind,
        len({judgement.item for judgement in firsts}),
        nominal_alpha(
            [(judgement.item, judgement.answer) for judgement in firsts], groups=groups, draws=draws, seed=seed
        ),
        nominal_alpha(
            [(judgement.item, judgement.recognised) for judgement in firsts], groups=groups, draws=draws, seed=seed
        ),
        "items" if originals is None else "originals",
        draws,
        tuple(
            _annotator(name, [judgement for judgement in judgements if judgement.annotator == name])
            for name in sorted({judgement.annotator for judgement in judgements})
        ),
    )


def _annotator(name: str, judgements: Sequence[Judgement]) -> AnnotatorReport:
    firsts = {judgement.item: judgement for judgement in judgements if judgement.repeat == 0}
    seconds = [judgement for judgement in judgements if judgement.repeat == 1 and judgement.item in firsts]

    def of(shown: Shown) -> list[Judgement]:
        return [judgement for judgement in firsts.values() if judgement.shown is shown]

    return AnnotatorReport(
        name,
        Rate.of_outcomes([judgement.recognised for judgement in of(Shown.RECONSTRUCTION)]),
        Rate.of_outcomes([judgement.recognised for judgement in of(Shown.CLEAN)]),
        Rate.of_outcomes([judgement.answer is None for judgement in of(Shown.NOISE)]),
        Rate.of_outcomes([judgement.answer == firsts[judgement.item].answer for judgement in seconds]),
    )
