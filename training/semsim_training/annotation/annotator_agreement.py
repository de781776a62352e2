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
    for one in judgements:
        groups.setdefault((one.dataset, one.kind), []).append(one)
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
    firsts = [one for one in judgements if one.shown is Shown.RECONSTRUCTION and one.repeat == 0]
    groups = None
    if originals is not None:
        unknown = next((one.item for one in firsts if one.item not in originals), None)
        if unknown is not None:
            raise InvalidAnnotations(f"expected judgements of items in {dataset}, got one of {unknown}")
        groups = [originals[one.item] for one in firsts]
    return AgreementReport(
        dataset,
        kind,
        len({one.item for one in firsts}),
        nominal_alpha([(one.item, one.answer) for one in firsts], groups=groups, draws=draws, seed=seed),
        nominal_alpha([(one.item, one.recognised) for one in firsts], groups=groups, draws=draws, seed=seed),
        "items" if originals is None else "originals",
        draws,
        tuple(
            _annotator(name, [one for one in judgements if one.annotator == name])
            for name in sorted({one.annotator for one in judgements})
        ),
    )


def _annotator(name: str, judgements: Sequence[Judgement]) -> AnnotatorReport:
    firsts = {one.item: one for one in judgements if one.repeat == 0}
    seconds = [one for one in judgements if one.repeat == 1 and one.item in firsts]

    def of(shown: Shown) -> list[Judgement]:
        return [one for one in firsts.values() if one.shown is shown]

    return AnnotatorReport(
        name,
        Rate.of_outcomes([one.recognised for one in of(Shown.RECONSTRUCTION)]),
        Rate.of_outcomes([one.recognised for one in of(Shown.CLEAN)]),
        Rate.of_outcomes([one.answer is None for one in of(Shown.NOISE)]),
        Rate.of_outcomes([one.answer == firsts[one.item].answer for one in seconds]),
    )
