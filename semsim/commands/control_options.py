"""Options for the public images beside which a reconstruction is identified, and the images that they name."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from semsim.images import RGBImage

NoControls = Annotated[bool, typer.Option("--no-controls", help="Do not ask whether it is this very picture.")]
OwnControls = Annotated[
    Path | None,
    typer.Option(
        "--controls",
        help="Directory of at least 100 public images of the kind of the originals, beside which to identify.",
        show_default="the model's own",
    ),
]


def controls_of(own: Path | None, no_controls: bool) -> "Iterator[RGBImage] | bool":
    """The controls that the options ask for, as :class:`semsim.scorer.Scorer` takes them.

    Raises:
        InvalidOption: both options are given.
        UnmatchedImages: no such directory, or no image in it.
    """
    from semsim.bulk.files import list_images
    from semsim.exceptions import InvalidOption

    if own is None:
        return not no_controls
    if no_controls:
        raise InvalidOption("expected --controls or --no-controls, got both")
    return _decoded(own, list_images(own).images)


def _decoded(directory: Path, paths: tuple[Path, ...]) -> "Iterator[RGBImage]":
    from semsim.exceptions import InvalidImage, UnreadableFile
    from semsim.images import decode

    for path in paths:
        try:
            yield decode(directory / path)
        except UnreadableFile:
            raise
        except InvalidImage as error:
            raise type(error)(f"{error}, in the control {directory / path}") from error
