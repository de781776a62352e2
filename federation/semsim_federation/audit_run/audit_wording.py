"""The sentences of the page. None of them says that anything is safe."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from semsim_federation.audit_run.audit_cells import Axis, Cell, base_of
from semsim_federation.audit_run.audit_config import AuditConfiguration
from semsim_federation.audit_run.audit_findings import AuditFindings
from semsim_federation.leakage_report import LeakageVerdict
from semsim_training.defenses.defense import NO_DEFENSE

VERDICTS = {
    LeakageVerdict.LEAKS: "leaks",
    LeakageVerdict.NOT_SHOWN: "not shown to leak by these attacks",
    LeakageVerdict.COULD_NOT_TELL: "could not tell",
}
"""The verdicts in words."""
_OPTIMISERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}
_KINDS: Mapping[str, str] = {
    **{str(verdict): text for verdict, text in VERDICTS.items()},
    "failed": "audit failed",
    "not_run": "not run",
}


@dataclass(frozen=True, slots=True)
class AttackFindings:
    """The audits in which one attack was tried."""

    attack: str
    statuses: tuple[tuple[str, int], ...]
    """How many audits ended with each status."""
    explained: tuple[float, float, float] | None
    """The least, the median and the largest share of the update that its images explained; None without images."""


def counted(count: int, name: str) -> str:
    """A number with a noun: ``1 client``, ``4 clients``."""
    plural = f"{name}es" if name.endswith("s") else f"{name}s"
    return f"{count} {name if count == 1 else plural}"


def verdict_sentence(findings: AuditFindings) -> str:
    """The verdict on the way in which the clients take part."""
    total = sum(one.planned for one in findings.declared)
    counts = Counter[str]()
    for one in findings.declared:
        counts.update(one.counts)
    audits = counted(total, "audited update")
    match findings.verdict:
        case LeakageVerdict.LEAKS:
            return (
                f"Updates leak: {counts[LeakageVerdict.LEAKS]} of {audits} gave away an image that is recognizable in "
                "what an attack rebuilt, and that public images do not resemble as much."
            )
        case LeakageVerdict.NOT_SHOWN:
            told = f"None of {audits} is shown to leak by these attacks. Other attacks may find more."
            return f"{told} {_identified(findings)}".strip()
    told = ", ".join(f"{count} {_KINDS[kind]}" for kind, count in counts.items() if count)
    return f"It could not be told whether updates leak. Of {audits}: {told}."


def _identified(findings: AuditFindings) -> str:
    """A hint at images that stand out from public ones although the metric does not find them recognizable."""
    audits = (audit for one in findings.declared for audit in one.audits)
    if not (count := sum(image.identified for audit in audits for image in audit.images)):
        return ""
    those = "1 image is" if count == 1 else f"{count} images are"
    return f"But {those} identified: public images are less like what was rebuilt. Look at it."


def other_ways(findings: AuditFindings) -> str:
    """A sentence about the other ways to take part; empty where none was audited."""
    verdicts = Counter(one.verdict for one in findings.others)
    if not verdicts:
        return ""
    told = ", ".join(f"{verdicts[verdict]} {_plural(verdict)}" for verdict in LeakageVerdict if verdicts[verdict])
    return f"Of {counted(len(findings.others), 'other way')} to take part, each different in one thing: {told}."


def _plural(verdict: LeakageVerdict) -> str:
    return {
        LeakageVerdict.LEAKS: "with a client that leaks",
        LeakageVerdict.NOT_SHOWN: "not shown to leak by these attacks",
        LeakageVerdict.COULD_NOT_TELL: "of which it could not be told",
    }[verdict]


def taking_part(configuration: AuditConfiguration, cell: Cell) -> list[tuple[str, str]]:
    """The way in which the clients take part, as names and values."""
    training, rounds = configuration.training, ", ".join(map(str, sorted(configuration.axes.rounds)))
    if training is None:
        sent = "a gradient of the mean loss over its images"
    else:
        steps = training.training.steps(cell.batch) * cell.epochs
        sent = (
            f"the change of its weights after {counted(steps, 'step')} of {_OPTIMISERS[training.optimiser]} with the "
            f"learning rate {training.learning_rate:g} on up to {counted(training.batch_size, 'image')} each"
        )
    return [
        ("a client holds", counted(cell.batch, "image")),
        ("a client sends", sent),
        ("defense", "none" if cell.defense == NO_DEFENSE else str(cell.defense)),
        ("rounds of training before", rounds),
    ]


def way(configuration: AuditConfiguration, cell: Cell) -> str:
    """A cell by that in which it differs from the way in which the clients take part."""
    base = base_of(configuration.axes)
    differences = []
    if cell.batch != base.batch:
        differences.append(counted(cell.batch, "image"))
    if cell.epochs != base.epochs:
        differences.append(counted(cell.epochs, "pass"))
    if cell.defense != base.defense:
        differences.append("no defense" if cell.defense == NO_DEFENSE else f"defense {cell.defense}")
    if cell.round != base.round:
        differences.append(f"after {counted(cell.round, 'round')}")
    return ", ".join(differences) or "as the clients take part"


def kept(findings: AuditFindings) -> tuple[Axis, ...]:
    """The axes with a single value, along which nothing was compared."""
    return tuple(axis for axis in Axis if len(findings.along(axis)) == 1)


def tried(findings: AuditFindings) -> tuple[AttackFindings, ...]:
    """The attacks, in the order in which they were tried."""
    audits = [audit for one in findings.cells.values() for audit in one.audits]
    names = dict.fromkeys(attempt.attack for audit in audits for attempt in audit.attempts)
    rows = []
    for name in names:
        attempts = [attempt for audit in audits for attempt in audit.attempts if attempt.attack == name]
        shares = [attempt.explained for attempt in attempts if attempt.explained is not None]
        rows.append(
            AttackFindings(
                name,
                tuple(Counter(attempt.status.replace("_", " ") for attempt in attempts).most_common()),
                (min(shares), float(np.median(shares)), max(shares)) if shares else None,
            )
        )
    return tuple(rows)


def reasons(findings: AuditFindings) -> list[tuple[str, int]]:
    """The reasons why attacks were skipped, failed or were out of time, audits broke off or could not tell, counted."""
    texts: list[str] = []
    for one in findings.cells.values():
        for audit in one.audits:
            texts += [
                f"{attempt.attack} {attempt.status}: {attempt.reason}"
                for attempt in audit.attempts
                if attempt.status in ("skipped", "failed", "out_of_time")
            ]
            texts += [f"could not tell: {doubt}" for doubt in audit.doubts]
        texts += [f"audit failed: {broken.reason}" for broken in one.broken]
    texts += [f"training with {cost.defense}: {reason}" for cost in findings.costs for reason in cost.diverged]
    return _grouped(texts)


def _grouped(texts: Sequence[str]) -> list[tuple[str, int]]:
    """The texts, the most frequent first; those that differ in numbers alone are one, told by the first of them."""
    alike = Counter(map(_without_numbers, texts))
    first = {_without_numbers(text): text for text in reversed(texts)}
    return [(first[key], count) for key, count in alike.most_common()]


def _without_numbers(text: str) -> str:
    return re.sub(r"\d+(\.\d+)?", "#", text)


def listed(words: Iterable[object]) -> str:
    """Words as people list them: ``a, b and c``."""
    *before, last = [str(word) for word in words] or [""]
    return f"{', '.join(before)} and {last}" if before else last
