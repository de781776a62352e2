"""Options that choose the items to judge."""

from collections.abc import Sequence
from typing import Annotated

import typer

Split = Annotated[list[str] | None, typer.Option(help="train, validation or test.", show_default="all")]
Limit = Annotated[int | None, typer.Option(min=1, help="Number of reconstructions.", show_default="all")]
Noise = Annotated[int, typer.Option(min=0, help="Gold: number of images of noise.")]


def splits(names: Sequence[str] | None) -> tuple[str, ...]:
    """The splits that ``--split`` names, or every split.

    Raises:
        InvalidOption: there is no such split.
    """
    from semsim.exceptions import InvalidOption
    from semsim_training.reconstructions.schema import SPLITS

    unknown = [name for name in names or () if name not in SPLITS]
    if unknown:
        raise InvalidOption(f"expected --split {', '.join(SPLITS)}, got {unknown[0]}")
    return tuple(names or SPLITS)
