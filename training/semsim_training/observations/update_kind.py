"""The kinds of files in which an update comes."""

from enum import StrEnum


class UpdateKind(StrEnum):
    """The content of a file of an update."""

    GRADIENT = "gradient"
    """The gradient of the mean loss."""
    DELTA = "delta"
    """The weights after local training minus those before."""
    AFTER = "after"
    """The state dict after local training; the victim holds the one before."""
