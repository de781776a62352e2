"""``semsim audit run``: a page on what the updates of a federated training give away."""

import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semsim.commands.main import EXIT_LEAKS
from semsim.commands.options import Model, load_scorer
from semsim.exceptions import InvalidOption

if TYPE_CHECKING:
    from semsim_federation.audit_run.audit_experiment import AuditExperiment

EXIT_COULD_NOT_TELL = 4


def run(
    config: Annotated[Path, typer.Argument(help="The network, images, training, attacks and axes, YAML.")],
    out: Annotated[Path, typer.Option(help="The page to write, .html; .json and the journal come beside it.")],
    originals: Annotated[bool, typer.Option("--originals", help="Show originals beside reconstructions.")] = False,
    minutes: Annotated[float | None, typer.Option(min=0.0, help="Time for all.", show_default="as configured")] = None,
    model: Model = None,
) -> None:
    """Audit a federated training by batch size, local steps, defense and round, and write a page that tells of it.

    An interrupted run, and one whose time was over, goes on with the same command. It keeps what is done in a journal
    beside the page.

    Exit codes: 3 updates leak as the clients take part; 0 not shown to leak by these attacks; 4 could not tell; 2
    refused. None of them says that the clients are safe.
    """
    from semsim.commands.progress_bar import progress_bar
    from semsim_federation.audit_run.audit_config import AuditConfiguration
    from semsim_federation.audit_run.audit_experiment import AuditExperiment
    from semsim_training.subcommands.option_checks import present

    if out.suffix.lower() not in (".html", ".htm") or out.is_dir():
        raise InvalidOption(f"expected --out to name a page, .html, got {out}")
    if not out.absolute().parent.is_dir() or not os.access(out.absolute().parent, os.W_OK):
        raise InvalidOption(f"expected --out in an existing directory to write to, got {out}")
    configuration, written = AuditConfiguration.read(config), config.read_text(encoding="utf-8")
    changes = {"shown": "originals"} if originals else {}
    configuration = configuration.model_copy(update=changes | ({} if minutes is None else {"minutes": minutes}))
    present(configuration.device)
    experiment = AuditExperiment(
        configuration, config.absolute().parent, out.with_suffix(".journal.jsonl"), load_scorer(model, None, None)
    )
    with progress_bar() as show:
        experiment.run(show)
    verdict = _written(experiment, written, out)
    if code := {"leaks": EXIT_LEAKS, "could_not_tell": EXIT_COULD_NOT_TELL}.get(verdict, 0):
        raise typer.Exit(code)


def example(
    schema: Annotated[bool, typer.Option("--schema", help="Every field of a configuration, as Markdown.")] = False,
    write: Annotated[
        Path | None,
        typer.Option(help="With --schema: Markdown file, to write between its audit-schema marks."),
    ] = None,
) -> None:
    """Print a configuration to begin with: semsim audit example > audit.yaml."""
    from importlib.resources import files

    if write is not None and not schema:
        raise InvalidOption("expected --write with --schema, got it alone")
    if schema:
        from semsim_federation.audit_run.audit_schema import audit_schema
        from semsim_training.markdown import write_between

        if write is None:
            typer.echo(audit_schema())
        else:
            write_between(write, "audit-schema", audit_schema())
        return
    text = files("semsim_federation.audit_run").joinpath("example_audit.yaml").read_text(encoding="utf-8")
    typer.echo(text, nl=False)


def _written(experiment: "AuditExperiment", configuration_text: str, out: Path) -> str:
    """Write the page and its JSON, and print the verdict; the verdict."""
    import json

    from semsim_federation.audit_run.audit_findings import AuditFindings
    from semsim_federation.audit_run.audit_page import RunFacts, render, values
    from semsim_federation.audit_run.audit_wording import other_ways, verdict_sentence
    from semsim_federation.audit_run.shown_pictures import gallery
    from semsim_training.machine import machine

    configuration = experiment.configuration
    findings = AuditFindings.of(configuration, experiment.journal)
    facts = RunFacts(
        command=f"semsim {shlex.join(sys.argv[1:])}",
        written=configuration_text,
        dataset=experiment.dealt.dataset,
        model=experiment.victim.name,
        header=experiment.header,
        machine=machine(),
        ended=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        manifest=experiment.scorer.manifest,
    )
    content = json.dumps(values(findings, facts), indent=2, allow_nan=False)
    for path, text in (
        (out.with_suffix(".json"), content + "\n"),
        (out, render(findings, facts, gallery(findings, experiment.dealt))),
    ):
        scratch = path.with_name(f".{path.name}.new")
        scratch.unlink(missing_ok=True)
        scratch.touch(mode=0o600)  # the page holds reconstructions, which may show clients' images
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    typer.echo(verdict_sentence(findings))
    if others := other_ways(findings):
        typer.echo(others)
    if not findings.complete:
        typer.echo("The time was over before all was tried: the same command goes on.")
    typer.echo(f"{out}, {out.with_suffix('.json')}")
    return str(findings.verdict)
