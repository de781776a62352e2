"""A recogniser's description, as it is written beside its weights."""

from pydantic import Field

from semsim.exceptions import InvalidCheckpoint
from semsim_training.configuration import Description, FrozenModel


class RecogniserRecord(FrozenModel):
    """The measure of a recogniser on images that it has not seen."""

    trained_on: str
    """The name of the data set."""
    images: int
    """The number of images that the recogniser was trained on."""
    test_images: int
    clean_accuracy: float
    """Share of test images whose most probable class is right, whatever the confidence."""
    degraded_accuracy: float
    """The same share after the test images were degraded."""
    calibration_error: float
    """Expected calibration error of the top-1 confidence on degraded images, over ten bins of equal width."""


class RecogniserDescription(Description):
    """A recogniser's network, its input, its classes and its record."""

    CONTENT = "a recogniser's description"
    REFUSAL = InvalidCheckpoint

    name: str
    dataset: str
    """The reconstruction set whose classes it knows."""
    classes: tuple[str, ...] = Field(min_length=2)
    architecture: str
    """See :func:`semsim_training.backbones.build_backbone`."""
    resolution: int = Field(ge=32)
    """Images are enlarged to this side, in pixels."""
    mean: tuple[float, float, float]
    """Per channel, in levels 0..255."""
    std: tuple[float, float, float]
    """Per channel, in levels, positive."""
    epochs: int
    seed: int
    record: RecogniserRecord | None = None
    """``None`` until it is measured."""
