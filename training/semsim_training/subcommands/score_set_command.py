"""``semsim score-set``: the scores of a finished reconstruction set."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semsim.commands.gate_options import (
    BaselineTable,
    FailShare,
    GitHub,
    JUnit,
    Margin,
    close_gate,
    gate_report,
    in_words,
    limits_beside,
    limits_of,
    remove_earlier,
)
from semsim.commands.main import EXIT_FAILED_PAIRS
from semsim.commands.options import (
    EngineName,
    FailAbove,
    Json,
    LpipsDirectory,
    Model,
    Output,
    Require,
    Workers,
    check_output,
    engine_of,
    load_scorer,
)
from semsim_training.subcommands.attack_exit_codes import EXIT_NOTHING_FOUND, EXIT_PARTLY

if TYPE_CHECKING:
    from semsim.summary import Summary
    from semsim_training.reconstructions.scored_rows import ScoredRow

app = typer.Typer(add_completion=False)

_SHOWN = 3
"""The reasons for missing scores that are printed."""


@app.command(epilog="Example: semsim score-set build/cifar10 -o scores.parquet --fail-above threshold")
def score_set(
    dataset: Annotated[Path, typer.Argument(help="A finished reconstruction set.")],
    settings: Annotated[str, typer.Option(help="Only settings whose name contains this.")] = "",
    output: Output = None,
    model: Model = None,
    require: Require = None,
    lpips: LpipsDirectory = None,
    engine: EngineName = "here",
    workers: Workers = None,
    fail_above: FailAbove = None,
    fail_share: FailShare = None,
    baseline: BaselineTable = None,
    margin: Margin = None,
    junit: JUnit = None,
    github: GitHub = None,
    as_json: Json = False,
) -> None:
    """Score every reconstruction of a set against its original.

    A row whose attack diverged, or that cannot be read, is told as such and counts as not scored. A status and an
    explained share are of the client's whole batch: one image of a matched batch may be far from its original.

    Exit codes: 0 all rows were scored; 3 a leakage is above --fail-above, or rose over --baseline; 1 a row was not
    scored, a pair of --baseline is missing, or with a gate an original shows nothing; 2 refused. With a gate that no
    leakage fails: 5 all rows of some setting found nothing, diverged or have no leakage: could not tell; 4 some rows
    found nothing, in the settings that the last line names. 5 comes before 1, and 1 before 4.
    """
    from semsim.bulk.leakage_gate import judge
    from semsim.bulk.rows import report, write_table
    from semsim.commands.progress_bar import progress_bar
    from semsim.exceptions import InvalidDataset
    from semsim.memory import keep_freed_memory
    from semsim.summary import summarize
    from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
    from semsim_training.reconstructions.scored_rows import score_rows
    from semsim_training.reconstructions.set_score_rows import SetScoreRow
    from semsim_training.reconstructions.unexplained_settings import unexplained_settings
    from semsim_training.reconstructions.verdict import untold_settings

    remove_earlier(junit)
    chosen_engine = engine_of(engine, workers)
    check_output(output)
    limits = limits_of(fail_above, fail_share, baseline, margin, (output, junit))
    made = ReconstructionSet.read(dataset)
    chosen = [row for row in made.rows if settings in row.setting]
    if not chosen:
        raise InvalidDataset(f"expected a setting whose name contains {settings!r} in {dataset}, got none")
    keep_freed_memory()
    scorer = load_scorer(model, require, fail_above, lpips=lpips)
    limits = limits_beside(limits, fail_above, scorer.manifest)
    with progress_bar() as progress:
        scored = score_rows(made, chosen, scorer, progress=progress, engine=chosen_engine, workers=workers)
    rows = [SetScoreRow.of_row(one) for one in scored]
    summary = summarize(one.outcome for one in scored)
    if output is not None:
        write_table(output, rows, scorer.manifest, summary, SetScoreRow)
    outcome = judge(limits, rows, scorer.manifest.threshold)
    untold = untold_settings(scored) if limits.is_gate and not outcome.reasons else []
    doubt = _doubt(untold, unexplained_settings(chosen))
    if limits.is_gate and doubt:
        outcome = replace(outcome, unseen=(*outcome.unseen, doubt))
    missing = in_words(
        {"not scored": summary.failed, "that nothing can be told of": summary.uninformative * limits.is_gate}
    )
    if as_json:
        told = report(rows, scorer.manifest, summary) | gate_report(outcome, limits, missing)
        typer.echo(json.dumps(told, indent=2, allow_nan=False))
    else:
        _print(scored, summary, output)
    if doubt and not limits.is_gate:
        typer.echo(doubt, err=as_json)
    code = close_gate(outcome, rows, missing, command="score-set", junit=junit, github=github, err=as_json)
    if code == EXIT_FAILED_PAIRS and untold:
        code = EXIT_NOTHING_FOUND
    elif code == EXIT_FAILED_PAIRS and not missing and outcome.unseen == (doubt,):
        code = EXIT_PARTLY
    raise typer.Exit(code)


def _doubt(untold: Sequence[str], unexplained: str) -> str:
    """Say of which settings nobody could tell whether they leak; empty where there is none."""
    if untold:
        more = f" and {len(untold) - _SHOWN} more" * (len(untold) > _SHOWN)
        return (
            "could not tell: no leakage is past a limit, and all rows found nothing, diverged or have no leakage of "
            f"{', '.join(untold[:_SHOWN])}{more}"
        )
    return f"could not tell in {unexplained}" if unexplained else ""


def _print(scored: "Sequence[ScoredRow]", summary: "Summary", output: Path | None) -> None:
    from semsim_training.reconstructions.scored_rows import by_setting, statuses
    from semsim_training.reconstructions.verdict import verdict_of

    typer.echo(f"{'max':>5} {'mean':>5} {'recognizable':>12}  leakage by setting")
    for setting, rows in by_setting(scored).items():
        leakages = [one.score.leakage for one in rows if one.score is not None and one.score.leakage is not None]
        recognizable = sum(one.score is not None and one.score.recognizable is True for one in rows)
        numbers = f"{'-':>5} {'-':>5} {'-':>12}"
        if leakages:
            share = f"{recognizable} of {len(leakages)}"
            numbers = f"{max(leakages):>5.2f} {sum(leakages) / len(leakages):>5.2f} {share:>12}"
        typer.echo(f"{numbers}  {setting}: {verdict_of(rows)} ({statuses(rows)})")
    reasons = Counter(one.failure.message for one in scored if one.failure is not None)
    for reason, count in reasons.most_common(_SHOWN):
        typer.echo(f"not scored: {count} reconstructions: {reason}", err=True)
    if len(reasons) > _SHOWN:
        typer.echo(f"not scored for {len(reasons) - _SHOWN} other reasons; a table (-o) holds all of them", err=True)
    typer.echo(
        f"{summary.pairs} reconstructions, {summary.failed} not scored"
        + f", {summary.uninformative} that nothing can be told of" * (summary.uninformative > 0)
        + ("" if output is None else f"; table in {output}")
    )
