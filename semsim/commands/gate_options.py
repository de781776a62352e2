"""Options of a gate on leakage in continuous integration, and the telling of why it does not pass."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semsim.commands.main import EXIT_FAILED_PAIRS, EXIT_LEAKS
from semsim.commands.options import check_parent, limit_of

if TYPE_CHECKING:
    from semsim.bulk.leakage_gate import GateOutcome, LeakageLimits
    from semsim.bulk.rows import ScoreRow
    from semsim.manifest import Manifest

FailShare = Annotated[
    float | None,
    typer.Option(
        "--fail-share", min=0.0, max=1.0, metavar="S", show_default="0",
        help="With --fail-above: the share of pairs that may be above it.",
    ),
]  # fmt: skip
BaselineTable = Annotated[
    Path | None,
    typer.Option(
        "--baseline", metavar="TABLE",
        help="Table of an earlier run. Exit 3 when leakage rose since then, and 1 when a pair of it is missing.",
    ),
]  # fmt: skip
Margin = Annotated[
    float | None,
    typer.Option(
        "--margin", min=0.0, max=1.0, metavar="M", help="With --baseline: how far the mean and the share may rise.",
        show_default="to the end of their range over draws of originals",
    ),
]  # fmt: skip
JUnit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="JUnit report to write.")]
GitHub = Annotated[
    bool | None,
    typer.Option("--github/--no-github", help="Annotate a run of GitHub Actions.", show_default="on where it runs"),
]


def limits_of(
    fail_above: str | None,
    share: float | None,
    baseline: Path | None,
    margin: float | None,
    written: Sequence[Path | None],
) -> "LeakageLimits":
    """The limits that the options describe, but that of ``fail_above``, which `limits_beside` adds.

    ``written`` are the files that the run will write.

    Raises:
        InvalidOption: an option needs another one, the baseline is no table of an earlier run, or a file cannot be
            written or would replace another one, or the baseline, over which later runs would then rise unseen.
    """
    from semsim.bulk.earlier_run import EarlierRun
    from semsim.bulk.leakage_gate import LeakageLimits
    from semsim.exceptions import InvalidOption

    if share is not None and fail_above is None:
        raise InvalidOption("expected --fail-share with --fail-above, got it alone")
    if share == 1:
        raise InvalidOption("expected --fail-share below 1, since a gate that allows every pair never fails, got 1")
    if margin is not None and baseline is None:
        raise InvalidOption("expected --margin with --baseline, got it alone")
    files = [] if baseline is None else [baseline.resolve()]
    for path in written:
        if path is not None:
            check_parent(path)
            if path.resolve() in files:
                raise InvalidOption(f"expected -o, --junit and --baseline to be different files, got {path} for both")
            files.append(path.resolve())
    earlier = None if baseline is None else EarlierRun.read(baseline)
    return LeakageLimits(None, share or 0.0, earlier, margin)


def remove_earlier(junit: Path | None) -> None:
    """Remove the JUnit report of an earlier run, which may have passed: a run that is refused writes none.

    Raises:
        InvalidOption: the file is something else, such as a client's image.
    """
    from semsim.exceptions import InvalidOption

    if junit is None or not junit.is_file() or junit.is_symlink() or not junit.stat().st_size:
        return
    with junit.open("rb") as file:
        if file.read(5) != b"<?xml":
            raise InvalidOption(f"expected --junit to be a new file or an earlier report, got {junit}")
    junit.unlink()


def limits_beside(limits: "LeakageLimits", fail_above: str | None, manifest: "Manifest") -> "LeakageLimits":
    """The limits with that of ``--fail-above``, for the model of the run.

    Raises:
        NotCalibrated: there is a baseline, and the model gives no leakage.
        InvalidOption: another model gave the leakages of the baseline.
    """
    from semsim.exceptions import NotCalibrated

    if limits.baseline is not None and manifest.calibration is None:
        raise NotCalibrated(f"expected a calibrated model for --baseline, got {manifest.name} {manifest.version}")
    limits.check_model(manifest)
    return replace(limits, above=limit_of(fail_above, manifest.threshold))


def close_gate(
    outcome: "GateOutcome",
    rows: "Sequence[ScoreRow]",
    missing: str,
    *,
    command: str,
    junit: Path | None,
    github: bool | None,
    err: bool,
) -> int:
    """Tell why the gate passes or does not, on stderr where ``err`` is set, and return the exit code.

    Args:
        outcome: the outcome of the gate.
        rows: the pairs of the run, and the files that are in no pair.
        missing: the counts of what was not scored and may not be left out, in words; empty where there is none.
        command: the sub-command whose gate it is.
        junit: the JUnit report to write.
        github: write annotations of GitHub Actions; None = where they are read.
        err: print on stderr, since stdout holds JSON.
    """
    from semsim.bulk.junit_report import junit_report

    unseen = _unseen(outcome, missing)
    if junit is not None:
        junit.write_text(junit_report(rows, outcome, unseen, command), encoding="utf-8")
    for sentence in outcome.reasons:
        typer.echo(f"the gate fails: {sentence}", err=err)
    for sentence in outcome.unseen:
        typer.echo(f"the gate cannot pass: {sentence}", err=err)
    if outcome.summary and not outcome.reasons and not unseen:
        typer.echo(f"the gate passes: {outcome.summary}", err=err)
    if github if github is not None else os.environ.get("GITHUB_ACTIONS") == "true":
        for sentence in (*outcome.reasons, *unseen):
            typer.echo(_annotation("error", sentence), err=True)
        if not outcome.reasons and not unseen:
            typer.echo(_annotation("notice", outcome.summary or "every pair was scored"), err=True)
    if outcome.reasons:
        return EXIT_LEAKS
    return EXIT_FAILED_PAIRS if unseen else 0


def in_words(counts: Mapping[str, int]) -> str:
    """The counts that are not 0: ``2 not scored, 1 skipped``; empty where all are."""
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def gate_report(outcome: "GateOutcome", limits: "LeakageLimits", missing: str) -> dict[str, Any]:
    """The outcome as a part of a JSON report, with ``missing`` as for `close_gate`; empty without a limit."""
    if not limits.is_gate:
        return {}
    return {"gate": {"reasons": outcome.reasons, "unseen": _unseen(outcome, missing), "above": outcome.above}}


def _unseen(outcome: "GateOutcome", missing: str) -> list[str]:
    """All that keeps a gate from passing although no leakage is past a limit, in sentences."""
    return [*([f"not everything was scored: {missing}"] if missing else []), *outcome.unseen]


def _annotation(level: str, message: str) -> str:
    """A workflow command of GitHub Actions, which reads them from both streams of a step."""
    for character in "%\r\n":
        message = message.replace(character, f"%{ord(character):02X}")
    return f"::{level} title=semsim::{message}"
