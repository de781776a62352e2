"""Options that several sub-commands share, the scorer that they describe, and the exit code that they ask for."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semsim.commands.control_options import controls_of
from semsim.commands.main import EXIT_FAILED_PAIRS, EXIT_LEAKS

if TYPE_CHECKING:
    from semsim.bulk.engine import Engine
    from semsim.client import RemoteScorer
    from semsim.providers import ProviderSettings
    from semsim.scorer import Scorer
    from semsim.summary import Summary

_THRESHOLD = "threshold"

Model = Annotated[
    Path | None,
    typer.Option("--model", envvar="SEMSIM_ARTIFACT", help="Model artifact directory.", show_default="the bundled one"),
]
Require = Annotated[
    str | None,
    typer.Option("--require", help="Execution provider to insist on: tensorrt, cuda or cpu.", metavar="PROVIDER"),
]
LpipsDirectory = Annotated[
    Path | None,
    typer.Option(
        "--lpips",
        envvar="SEMSIM_LPIPS",
        help="LPIPS artifact directory, which semsim export-lpips makes; adds lpips.",
        show_default="no LPIPS",
    ),
]
FidDirectory = Annotated[
    Path | None,
    typer.Option(
        "--fid",
        help="FID artifact directory, which semsim export-fid makes; adds FID of both directories.",
        show_default="no FID",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def _number_or_threshold(value: str | None) -> str | None:
    """The value of ``--fail-above``, unchanged.

    Raises:
        InvalidOption: it is neither the word nor a number of the range.
    """
    from semsim.exceptions import InvalidOption

    if value is None or value == _THRESHOLD:
        return value
    try:
        is_leakage = 0 <= float(value) <= 1  # NaN is none
    except ValueError:
        is_leakage = False
    if not is_leakage:
        raise InvalidOption(f"expected --fail-above to be {_THRESHOLD} or a number from 0 to 1, got {value}")
    return value


FailAbove = Annotated[
    str | None,
    typer.Option(
        "--fail-above",
        callback=_number_or_threshold,
        metavar=f"X|{_THRESHOLD}",
        help="Exit 3 when a leakage is above this, or, with the word threshold, when a pair is recognizable.",
    ),
]

EngineName = Annotated[
    str, typer.Option("--engine", metavar="here|processes|ray", help="Where pairs are scored; ray needs the extra ray.")
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes, or actors of the cluster.", show_default="one a core"),
]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="Table to write: .parquet, .csv or .json.")]


def engine_of(name: str, workers: int | None, url: str | None = None) -> "Engine":
    """The engine of a name.

    Raises:
        InvalidOption: there is no such engine, or ``here`` or a service at ``url`` is to have workers.
    """
    from semsim.bulk.engine import Engine
    from semsim.exceptions import InvalidOption

    if name not in set(Engine):
        raise InvalidOption(f"expected --engine to be one of {', '.join(Engine)}, got {name}")
    if workers is not None and name == Engine.HERE:
        raise InvalidOption("expected --workers with the engine processes or ray, got it with here")
    if url is not None and name != Engine.HERE:
        raise InvalidOption(f"expected --engine here with --url, since the service has its own workers, got {name}")
    return Engine(name)


def check_output(output: Path | None) -> None:
    """Refuse a table that could not be written, before anything is scored.

    Raises:
        InvalidOption: no such directory, a directory, or no format of tables.
        MissingExtra: Parquet is asked for, and pyarrow is not installed.
    """
    from semsim.bulk.rows import TableFormat

    if output is None:
        return
    TableFormat.of(output)
    check_parent(output)


def check_parent(output: Path) -> None:
    """Refuse a file that could not be written.

    Raises:
        InvalidOption: no such directory, or a directory.
    """
    from semsim.exceptions import InvalidOption

    parent = output.absolute().parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise InvalidOption(f"expected an output file in an existing directory to write to, got {output}")
    if output.is_dir():
        raise InvalidOption(f"expected an output file, got the directory {output}")


def exit_code(summary: "Summary", fail_above: float | None, others: int = 0) -> int:
    """The exit code of a command that scored many pairs: a leak comes before pairs that could not be scored.

    A leak is told on stderr. With a limit it is 0 only where every pair has a leakage, none is above the limit, and
    there are no ``others``: files that took part in no pair.
    """
    missing = summary.failed + others
    if fail_above is not None:
        if summary.max_leakage is not None and summary.max_leakage > fail_above:
            typer.echo(
                f"the gate fails: the highest leakage, {summary.max_leakage:.2f}, is above {fail_above:g}", err=True
            )
            return EXIT_LEAKS
        # Not "above": whatever is no number is not within the limit either.
        within = summary.max_leakage is not None and summary.max_leakage <= fail_above
        missing += summary.uninformative + (not within)
    return EXIT_FAILED_PAIRS if missing else 0


def provider_settings(require: str | None) -> "ProviderSettings":
    """The settings of providers, where ``require`` is one to insist on.

    Raises:
        InvalidOption: it names none.
    """
    from semsim.exceptions import InvalidOption
    from semsim.providers import Provider, ProviderSettings

    if require is None:
        return ProviderSettings()
    if require not in set(Provider):
        raise InvalidOption(f"expected --require to be one of {', '.join(Provider)}, got {require}")
    return ProviderSettings(required=Provider(require))


def load_scorer(
    model: Path | None,
    require: str | None,
    fail_above: str | None = None,
    *,
    own_controls: Path | None = None,
    no_controls: bool = False,
    lpips: Path | None = None,
) -> "Scorer":
    """The scorer that the options ask for.

    Raises:
        InvalidOption: ``require`` names no execution provider, no leakage of the model can be above the limit, or both
            options of controls are given.
        InvalidConfiguration: a directory of controls has fewer than 100 different images.
        NotCalibrated: there is a limit of leakage, and the model gives no leakage.
        ArtifactError: the artifact of the model, or that of LPIPS, cannot be used.
    """
    from semsim.scorer import Scorer

    settings = provider_settings(require)
    scorer = Scorer(model, providers=settings, controls=controls_of(own_controls, no_controls), lpips=lpips)
    check_limit(scorer, fail_above)
    return scorer


def limit_of(fail_above: str | None, threshold: float | None) -> float | None:
    """The leakage above which a gate fails, by the option and the ``threshold`` of the model; None where there is none.

    Above that of the word are the recognizable pairs and no others.
    """
    from semsim.bulk.leakage_gate import limit_at

    if fail_above == _THRESHOLD:
        return limit_at(threshold)
    return None if fail_above is None else float(fail_above)


def check_limit(scorer: "Scorer | RemoteScorer", fail_above: str | None) -> None:
    """Refuse a limit of leakage that nothing could be above.

    Raises:
        InvalidOption: no leakage of the model can be above the limit.
        NotCalibrated: there is a limit, and the model gives no leakage.
    """
    import numpy as np

    from semsim.exceptions import InvalidOption, NotCalibrated

    if fail_above is None:
        return
    most, limit = scorer.leakage(np.zeros(1)), limit_of(fail_above, scorer.manifest.threshold)
    if most is None or limit is None:
        raise NotCalibrated(
            f"expected a calibrated model for --fail-above, got {scorer.manifest.name} {scorer.manifest.version}, "
            "which carries no calibration and so gives no leakage"
        )
    if not limit < most[0]:
        raise InvalidOption(
            f"expected --fail-above below {most[0]:.4f}, the leakage of an exact copy by {scorer.manifest.name} "
            f"{scorer.manifest.version}, got {limit:g}, which nothing could fail"
        )
