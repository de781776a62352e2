"""The command ``semsim score-dir``: it scores two directories of images."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semsim.commands.control_options import NoControls, OwnControls
from semsim.commands.gate_options import (
    BaselineTable,
    FailShare,
    GitHub,
    JUnit,
    Margin,
    close_gate,
    gate_report,
    limits_beside,
    limits_of,
    remove_earlier,
)
from semsim.commands.main import EXIT_INTERRUPTED
from semsim.commands.options import (
    EngineName,
    FailAbove,
    FidDirectory,
    Json,
    LpipsDirectory,
    Model,
    Output,
    Require,
    Workers,
    check_output,
    engine_of,
    load_scorer,
    provider_settings,
)
from semsim.commands.progress_bar import progress_bar
from semsim.commands.run_printing import missing_of, print_fid, print_lpips, print_run, tell_untold
from semsim.commands.run_warnings import warn_of
from semsim.commands.service_options import CA, Certificate, Key, PatienceSeconds, TokenFile, Url, load_remote_scorer

if TYPE_CHECKING:
    from semsim.bulk.matching import Match

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: semsim score-dir originals reconstructions -o scores.csv --fail-above threshold")
def score_dir(
    originals: Annotated[Path, typer.Argument(help="Directory of the clients' images.")],
    reconstructions: Annotated[Path, typer.Argument(help="Directory of the attack's reconstructions.")],
    match: Annotated[
        str,
        typer.Option(
            metavar="name|index|best|assignment",
            help="name: same path without suffix, or a directory of that name; index: i-th with i-th, 2 before 10; "
            "best: each original with its closest reconstruction; assignment: one to one, least total distance.",
        ),
    ] = "name",
    output: Output = None,
    allow_unmatched: Annotated[
        bool, typer.Option("--allow-unmatched", help="Exit 0 although images have no partner.")
    ] = False,
    allow_skipped: Annotated[
        bool, typer.Option("--allow-skipped", help="Exit 0 although files are skipped that may hold images.")
    ] = False,
    model: Model = None,
    require: Require = None,
    url: Url = None,
    token_file: TokenFile = None,
    ca: CA = None,
    certificate: Certificate = None,
    key: Key = None,
    patience: PatienceSeconds = None,
    engine: EngineName = "here",
    workers: Workers = None,
    controls: OwnControls = None,
    no_controls: NoControls = False,
    lpips: LpipsDirectory = None,
    fid: FidDirectory = None,
    fail_above: FailAbove = None,
    fail_share: FailShare = None,
    baseline: BaselineTable = None,
    margin: Margin = None,
    junit: JUnit = None,
    github: GitHub = None,
    as_json: Json = False,
) -> None:
    """Score a directory of originals against a directory of reconstructions.

    With -o, a run that was interrupted, or whose service went away, goes on where it stopped when it is called again,
    and pairs that met a fault of the service are tried again. With --lpips and --fid it gives MSE, PSNR, SSIM, LPIPS
    and FID at once.

    Exit codes: 0 every image of both directories was scored; 3 a leakage is above --fail-above; 1 an image was not
    scored, had no partner or was skipped, or with --fail-above nothing can be told of a pair; 2 refused; 130
    interrupted. With --baseline also: 3 leakage rose; 1 a pair of the baseline is missing.
    """
    from semsim.bulk.files import Directories
    from semsim.bulk.leakage_gate import judge
    from semsim.bulk.matching import Match
    from semsim.bulk.rows import report, write_table
    from semsim.bulk.run import score_directories
    from semsim.exceptions import SemSimError
    from semsim.fid.fid_artifact import FidArtifact
    from semsim.fid.fid_network import FidNetwork
    from semsim.memory import keep_freed_memory

    remove_earlier(junit)
    way = _match_of(match)
    _check((originals, reconstructions), output)
    limits = limits_of(fail_above, fail_share, baseline, margin, (output, junit))
    chosen_engine = engine_of(engine, workers, url)
    _check_one_model(url, (model, require, controls, lpips), (token_file, ca, certificate, key, patience))
    journal = None if output is None else output.with_name(output.name + ".partial.jsonl")
    keep_freed_memory()
    remote = None
    if url is not None:
        remote = load_remote_scorer(
            url,
            token_file=token_file,
            ca=ca,
            certificate=certificate,
            key=key,
            patience=patience,
            fail_above=fail_above,
            controls=not no_controls,
        )
    scorer = remote or load_scorer(
        model, require, fail_above, own_controls=controls, no_controls=no_controls, lpips=lpips
    )
    limits = limits_beside(limits, fail_above, scorer.manifest)
    fid_network = None if fid is None else FidNetwork(FidArtifact.load(fid), provider_settings(require))
    try:
        with remote or nullcontext(), progress_bar() as progress:
            run = score_directories(
                scorer,
                Directories(originals, reconstructions),
                way,
                journal_path=journal,
                engine=chosen_engine,
                workers=workers,
                fid=fid_network,
                progress=progress,
            )
    except KeyboardInterrupt:
        typer.echo(f"interrupted: {_kept(journal)}", err=True)
        _tell_earlier(output)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except SemSimError:
        if remote is not None and journal is not None and journal.exists():
            typer.echo(f"the service ended the run: {_kept(journal)}", err=True)
        _tell_earlier(output)
        raise
    warn_of(run)
    summary, rows = run.summary(), run.rows + run.rows_of_others()
    if output is not None and journal is not None:
        write_table(output, rows, scorer.manifest, summary)
        faults = sum(row.is_fault for row in run.rows)
        if remote is None or not faults:
            journal.unlink(missing_ok=True)
        else:
            typer.echo(f"{faults} met a fault of the service: call again to score these alone", err=True)
    outcome = judge(limits, run.rows, scorer.manifest.threshold)
    skipped, unmatched = summary.skipped * (not allow_skipped), summary.unmatched * (not allow_unmatched)
    counted = missing_of(
        replace(summary, uninformative=summary.uninformative * limits.is_gate, skipped=skipped, unmatched=unmatched)
    )
    counted = ", and ".join(filter(None, (counted, run.matching.unproved(is_gate=limits.is_gate))))
    if as_json:
        told = report(rows, scorer.manifest, summary) | gate_report(outcome, limits, counted)
        typer.echo(json.dumps(told, indent=2, allow_nan=False))
    else:
        print_run(run.rows, summary, output, chosen=way in (Match.BEST, Match.ASSIGNMENT))
        has_controls = controls is not None or scorer.manifest.controls is not None
        has_lpips = lpips is not None or (remote is not None and remote.service.lpips is not None)
        print_lpips(run.rows, asked=has_lpips)
        print_fid(run.fid)
        tell_untold(run.rows, asked=has_controls and not no_controls)
    if missing := missing_of(summary):
        typer.echo(f"not everything was scored: {missing}", err=as_json)
    code = close_gate(outcome, rows, counted, command="score-dir", junit=junit, github=github, err=as_json)
    raise typer.Exit(code)


def _match_of(name: str) -> "Match":
    """The way to match that an option names.

    Raises:
        InvalidOption: it names none.
    """
    from semsim.bulk.matching import Match
    from semsim.exceptions import InvalidOption

    if name not in set(Match):
        raise InvalidOption(f"expected --match to be one of {', '.join(Match)}, got {name}")
    return Match(name)


def _kept(journal: Path | None) -> str:
    """Say what is left of a run that has no table."""
    if journal is None or not journal.exists():  # it begins after the matching
        return "nothing was written"
    return f"call again to go on; so far in {journal}"


def _tell_earlier(output: Path | None) -> None:
    """Say that a table of another run stands where this run has none to show."""
    if output is not None and output.exists():
        typer.echo(f"{output} is of an earlier run", err=True)


def _check_one_model(url: str | None, of_scorer: tuple[object, ...], of_service: tuple[object, ...]) -> None:
    """Refuse options of scoring here beside a service, and options of a service without one.

    Raises:
        InvalidOption: what was expected, and what came.
    """
    from semsim.exceptions import InvalidOption

    if url is not None and any(of_scorer):
        raise InvalidOption(
            "expected --url alone, since the service has its own model, provider, controls and LPIPS, got also "
            "--model, --lpips (or the variables SEMSIM_ARTIFACT, SEMSIM_LPIPS), --require or --controls"
        )
    if url is None and any(option is not None for option in of_service):
        raise InvalidOption("expected --url with --token-file, --tls-* and --patience, got them alone")


def _check(directories: tuple[Path, Path], output: Path | None) -> None:
    """Refuse a reconstruction set in the place of a directory, and an output that cannot be written or is in the way.

    Raises:
        InvalidOption: what was expected, and what came.
    """
    from semsim.exceptions import InvalidOption

    check_output(output)
    is_parquet = output is not None and output.suffix.lower() == ".parquet"
    for path in directories:
        if (path / "dataset.json").is_file() and (path / "shards").is_dir():
            raise InvalidOption(
                f"expected two directories of images, got the reconstruction set {path}: "
                f"semsim score-set {path} scores it"
            )
        if is_parquet and output is not None and output.resolve().is_relative_to(path.resolve()):
            raise InvalidOption(
                f"expected a Parquet table outside of {path}, where the next run would take it for images, got {output}"
            )
