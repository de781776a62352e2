"""Options that several sub-commands share, and the scorer that they describe."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from semsim.scorer import Scorer

Model = Annotated[
    Path | None,
    typer.Option("--model", envvar="SEMSIM_ARTIFACT", help="Model artifact directory.", show_default="the bundled one"),
]
Require = Annotated[
    str | None,
    typer.Option("--require", help="Execution provider to insist on: tensorrt, cuda or cpu.", metavar="PROVIDER"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
FailAbove = Annotated[
    float | None,
    typer.Option("--fail-above", min=0.0, max=1.0, help="Exit 3 when a leakage is above this.", metavar="X"),
]


def load_scorer(model: Path | None, require: str | None, fail_above: float | None = None) -> "Scorer":
    """The scorer that the options ask for.

    Raises:
        InvalidOption: ``require`` names no execution provider.
        NotCalibrated: there is a limit of leakage, and the model gives no leakage.
    """
    from semsim.exceptions import InvalidOption, NotCalibrated
    from semsim.providers import Provider, ProviderSettings
    from semsim.scorer import Scorer

    settings = ProviderSettings()
    if require is not None:
        if require not in set(Provider):
            raise InvalidOption(f"expected --require to be one of {', '.join(Provider)}, got {require}")
        settings = ProviderSettings(required=Provider(require))
    scorer = Scorer(model, providers=settings)
    if fail_above is not None and scorer.manifest.calibration is None:
        raise NotCalibrated(
            f"expected a calibrated model for --fail-above, got {scorer.manifest.name} {scorer.manifest.version}, "
            "which carries no calibration and so gives no leakage"
        )
    return scorer
