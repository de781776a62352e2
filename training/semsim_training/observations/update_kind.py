"""The kinds of files in which an update comes."""

from enum import StrEnum


class UpdateKind(StrEnum):
    """What a file of an update holds."""

    GRADIENT = "gradient"
    """The gradient of the mean loss."""
    DELTA = "delta"
    """Weights after local training minus weights before."""
    AFTER = "after"
    """The state dict after local training; the model's is the one before."""
