"""The images that a network takes, apart from the network itself."""

import math
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from semsim.exceptions import InvalidConfiguration
from semsim.schema_mistakes import mistakes
from semsim_training.configuration import FrozenModel

_MOST_CHANNELS = 1024
"""The most channels for which one number is repeated."""


class Inputs(FrozenModel):
    """The size, channels and normalisation of the images that a network takes, and the number of its classes.

    Raises:
        InvalidConfiguration: a value outside its range, or statistics that do not fit ``white``.
    """

    size: tuple[int, int]
    """Height and width in pixels, at least 16 and at most 1024. One number stands for a square."""
    channels: int = Field(default=3, ge=1)
    """1 for greyscale, 3 for RGB."""
    classes: int = Field(ge=2)
    """The number of classes."""
    mean: tuple[float, ...]
    """The number that is subtracted from each channel. One number stands for all channels."""
    std: tuple[float, ...]
    """The positive number that the difference is divided by, of each channel. One number stands for all channels."""
    white: Literal[1, 255] = 255
    """The value of a white pixel in the unit of ``mean`` and ``std``: 255 for levels, 1 for fractions of white.

    A network that takes levels as they are has ``white=1``, mean 0 and std 1 / 255.
    """

    if not TYPE_CHECKING:  # type checkers know the fields

        def __init__(self, **values: Any) -> None:
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise InvalidConfiguration(f"inputs:{mistakes(error, Inputs)}") from error

    @field_validator("size", mode="before")
    @classmethod
    def _squared(cls, value: Any) -> Any:
        return (value, value) if isinstance(value, int) else value

    @field_validator("size")
    @classmethod
    def _attackable(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not all(16 <= side <= 1024 for side in value):
            raise ValueError(f"expected a height and a width of 16 to 1024 pixels, got {value[0]} and {value[1]}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _for_all_channels(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        channels = values.get("channels", 3)
        count = channels if isinstance(channels, int) and 1 <= channels <= _MOST_CHANNELS else 1
        spread = {
            name: (values[name],) * count for name in ("mean", "std") if isinstance(values.get(name), int | float)
        }
        return values | spread

    @model_validator(mode="after")
    def _plausible(self) -> Self:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != self.channels:
                raise ValueError(f"expected one {name} or one for each of {self.channels} channels, got {len(values)}")
            if not all(math.isfinite(value) for value in values):
                raise ValueError(f"expected finite numbers in {name}, got {values}")
        if not all(0 < value <= self.white for value in self.std):
            raise ValueError(
                f"expected a std above 0 and up to {self.white} where white is {self.white}, got {self.std}"
            )
        if not all(0 <= value <= self.white for value in self.mean):
            raise ValueError(f"expected a mean of 0 to {self.white} where white is {self.white}, got {self.mean}")
        if self.white == 255 and max(*self.mean, *self.std) < 2:
            raise ValueError(
                f"expected mean and std in levels 0..255, got {self.mean} and {self.std}, which look like fractions of "
                "white: multiply both by 255, or say white=1"
            )
        return self

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width, as the network takes one image."""
        return self.channels, *self.size
