"""``report.html``, one file that loads nothing, and ``report.json`` with its numbers."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from semsim.controls import LUCKY
from semsim.manifest import Manifest
from semsim_federation.audit_run.audit_cells import Axis, base_of
from semsim_federation.audit_run.audit_charts import NAMES, accuracy_chart, in_percent, leakage_chart, level
from semsim_federation.audit_run.audit_findings import AuditFindings, BoundedMean, CellFindings, SeedMean
from semsim_federation.audit_run.audit_wording import (
    VERDICTS,
    counted,
    kept,
    listed,
    other_ways,
    reasons,
    taking_part,
    tried,
    verdict_sentence,
    way,
)
from semsim_federation.audit_run.shown_pictures import ShownCell


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The facts about a run that are told beside its findings."""

    command: str
    """The command that repeats the run."""
    written: str
    """The text of the configuration."""
    dataset: str
    model: str
    """The name of the network."""
    header: Mapping[str, str]
    """Hashes and versions."""
    machine: str
    ended: str
    """The day and time of the end."""
    manifest: Manifest
    """The metric's own description."""


def render(findings: AuditFindings, facts: RunFacts, pictures: tuple[ShownCell, ...]) -> str:
    """The page; whatever comes from outside is escaped."""
    environment = Environment(
        loader=PackageLoader("semsim_federation.audit_run", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": _percent,
        "possible": _possible,
        "points": lambda mean: "" if mean is None else in_percent(mean, signed=True),
        "chart": lambda chart: Markup(chart.svg()),  # noqa: S704  # ElementTree escapes
        "counted": counted,
        "listed": listed,
        "verdict": lambda verdict: VERDICTS[verdict],
    }
    threshold = _threshold(findings, facts)
    audits = [audit for one in findings.cells.values() for audit in one.audits]
    return environment.get_template("audit.html").render(
        findings=findings,
        facts=facts,
        pictures=pictures,
        configuration=findings.configuration,
        sentence=verdict_sentence(findings),
        others=other_ways(findings),
        part=taking_part(findings.configuration, base_of(findings.axes)),
        charts={axis: leakage_chart(findings, axis, threshold) for axis in Axis if axis not in kept(findings)},
        accuracy=accuracy_chart(findings) if findings.costs else None,
        kinds=_kinds(findings),
        names=NAMES,
        kept=[NAMES[axis] for axis in kept(findings)],
        level=level,
        way=lambda one: way(findings.configuration, one.cell),
        lacking=[one for one in findings.costs if one.diverged or one.missing],
        by_defense={one.cell.defense: one for one in findings.along(Axis.DEFENSE)},
        tried=tried(findings),
        reasons=reasons(findings),
        threshold=threshold,
        controls=min((audit.controls for audit in audits), default=0),
        luck=max((audit.luck for audit in audits), default=0.0),
        lucky=LUCKY,
        audits=len(audits),
        seconds=sum(audit.seconds for audit in audits),
    )


def values(findings: AuditFindings, facts: RunFacts) -> dict[str, Any]:
    """Everything that the page tells and that is no picture, as JSON can write it."""
    return {
        "verdict": findings.verdict,
        "sentence": verdict_sentence(findings),
        "others": other_ways(findings),
        "complete": findings.complete,
        "configuration": json.loads(findings.configuration.model_dump_json()),
        "dataset": facts.dataset,
        "model": facts.model,
        "metric": f"{facts.manifest.name} {facts.manifest.version}",
        "threshold": _threshold(findings, facts),
        "versions_and_hashes": dict(facts.header),
        "command": facts.command,
        "machine": facts.machine,
        "ended": facts.ended,
        "ways": [_cell(findings, one) for one in findings.cells.values()],
        "defenses": [
            {
                "defense": str(one.defense),
                "accuracy": _mean(one.accuracy),
                "change": _mean(one.change),
                "diverged": list(one.diverged),
                "not_run": one.missing,
            }
            for one in findings.costs
        ],
        "accuracy_by_round": {str(number): value for number, value in findings.accuracy_by_round.items()},
        "attacks": [asdict(one) for one in tried(findings)],
        "reasons": [{"reason": text, "count": count} for text, count in reasons(findings)],
    }


def _cell(findings: AuditFindings, one: CellFindings) -> dict[str, Any]:
    """A cell with its clients; an infinite signal-to-noise ratio is None."""
    audits = [json.loads(audit.model_dump_json(exclude={"pictures", "cell"})) for audit in one.audits]
    least, most = one.possible
    return {
        "way": way(findings.configuration, one.cell),
        "declared": one in findings.declared,
        "batch": one.cell.batch,
        "epochs": one.cell.epochs,
        "defense": str(one.cell.defense),
        "round": one.cell.round,
        "verdict": one.verdict,
        "clients": dict(one.counts),
        "share_leaked": _mean(one.share),
        "share_leaked_possible": {"least": least, "most": most},
        "leakage": _mean(one.leakage),
        "leakage_of_public_images": one.control,
        "explained": one.explained,
        "audits": audits,
        "failed": [{"client": broken.client, "reason": broken.reason} for broken in one.broken],
    }


def _mean(mean: BoundedMean | SeedMean | None) -> dict[str, float] | None:
    if mean is None:
        return None
    interval = {} if mean.interval is None else {"low": mean.interval.low, "high": mean.interval.high}
    return {"value": mean.value, **interval}


def _percent(value: BoundedMean | SeedMean | float | None) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "could not tell"
    return f"{value:.0%}" if isinstance(value, float) else in_percent(value)


def _kinds(findings: AuditFindings) -> dict[str, str]:
    """The ways in which audits ended, in short; failures and what was not run only where there are any."""
    kinds = {"leaks": "leak", "not_shown": "not shown", "could_not_tell": "could not tell"}
    missing = {"failed": "failed", "not_run": "not run"}
    return kinds | {
        kind: text for kind, text in missing.items() if any(one.counts[kind] for one in findings.cells.values())
    }


def _possible(one: CellFindings) -> str:
    """The share that can have leaked, with the clients of which it could not be told."""
    least, most = one.possible
    return f"{most:.0%}" if most - least < 1e-9 else f"{100 * least:.0f}\N{EN DASH}{most:.0%}"


def _threshold(findings: AuditFindings, facts: RunFacts) -> float:
    chosen = findings.configuration.threshold
    return chosen if chosen is not None else (facts.manifest.threshold or 1.0)
