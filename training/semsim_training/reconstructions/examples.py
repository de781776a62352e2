"""Grids to begin with, as files that come with the package."""

from dataclasses import dataclass
from pathlib import Path

from semsim.exceptions import InvalidOption

_HERE = Path(__file__).parent
_REPOSITORY = _HERE.parents[2] / "configs" / "attacks"
"""The folder of grids in a source tree; in an installed package they are beside this file."""


@dataclass(frozen=True, slots=True)
class Example:
    """A grid that needs no victims' checkpoints."""

    file: str
    summary: str

    @property
    def path(self) -> Path:
        """The grid's file.

        Raises:
            InvalidOption: it did not come with the package.
        """
        for folder in (_HERE, _HERE / "grids", _REPOSITORY):
            if (folder / self.file).is_file():
                return folder / self.file
        raise InvalidOption(f"expected the example {self.file} in {_HERE} or {_REPOSITORY}, got none")


EXAMPLES = {
    "own-images": Example("example_grid.yaml", "several attacks and defenses on a folder of your own images: minutes"),
    "cifar10-many": Example(
        "cifar10-many.yaml", "a thousand reconstructions of CIFAR-10 below $SEMSIM_DATA/cifar10/test: an hour"
    ),
    "caltech101-many": Example("caltech101-many.yaml", "as many of Caltech-101 below $SEMSIM_DATA/caltech101: an hour"),
}
"""The grids by their names; the first is the one to begin with."""


def example_text(name: str) -> str:
    """The text of an example's file.

    Raises:
        InvalidOption: no example has this name.
    """
    if name not in EXAMPLES:
        raise InvalidOption(f"expected an example of {', '.join(EXAMPLES)}, got {name}")
    return EXAMPLES[name].path.read_text()
