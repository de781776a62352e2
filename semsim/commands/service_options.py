"""Options of commands that score with a service, and the scorer that they describe."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semsim.commands.options import check_limit

if TYPE_CHECKING:
    from semsim.client import RemoteScorer

_HELP = "with --url, "

Url = Annotated[str | None, typer.Option("--url", help="Score with the service at this address, not here.")]
TokenFile = Annotated[Path | None, typer.Option("--token-file", help=f"{_HELP}the file that holds the bearer token.")]
CA = Annotated[Path | None, typer.Option("--tls-ca", help=f"{_HELP}PEM authorities of the service's certificate.")]
Certificate = Annotated[Path | None, typer.Option("--tls-certificate", help=f"{_HELP}PEM certificate to show (mTLS).")]
Key = Annotated[Path | None, typer.Option("--tls-key", help=f"{_HELP}PEM key of this certificate.")]

PatienceSeconds = Annotated[
    float | None,
    typer.Option(
        "--patience",
        min=0,
        metavar="SECONDS",
        show_default="120",
        help=f"{_HELP}the time for which a request is tried again where the service is away or overloaded.",
    ),
]


def load_remote_scorer(
    url: str,
    *,
    token_file: Path | None,
    ca: Path | None,
    certificate: Path | None,
    key: Path | None,
    patience: float | None,
    fail_above: str | None,
    controls: bool = True,
) -> "RemoteScorer":
    """The scorer of the service that the options describe; the caller closes it.

    Raises:
        InvalidOption: an option cannot be used, or no leakage of the model can be above the limit.
        NotCalibrated: there is a limit of leakage, and the model gives no leakage.
        SemSimError: the service is away, or refuses to tell its model.
    """
    from semsim.client import ConnectionOptions, RemoteScorer

    token = None if token_file is None else token_file.read_text(errors="replace").strip()
    options: ConnectionOptions = {"token": token, "ca": ca, "certificate": certificate, "key": key}
    if patience is not None:
        options["patience"] = patience
    scorer = RemoteScorer(url, controls=controls, **options)
    try:
        check_limit(scorer, fail_above)
    except BaseException:
        scorer.close()
        raise
    return scorer
