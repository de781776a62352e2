"""The changes that a client makes to its images before it computes an update."""

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator, TypeAdapter

from semsim_training.client_images.policies import Policies, crop_and_flip

Images = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Mode:
    """``none``; ``crop``; or augmentation policies, which come after ``crop`` as in the SemSim paper's code.

    Raises:
        InvalidConfiguration: no such mode.
    """

    text: str
    _policies: Policies | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_policies", None if self.text in ("none", "crop") else Policies.parse(self.text))

    def __str__(self) -> str:
        return self.text

    def train(self, images: Images, rng: np.random.Generator) -> Images:
        """Images ``(N, H, W, 3)`` as a training step sees them."""
        if self.text == "none":
            return images
        cropped = [crop_and_flip(image, rng) for image in images]
        return np.stack([self._policies.apply(image, rng) for image in cropped] if self._policies else cropped)

    def share(self, images: Images, rng: np.random.Generator) -> Images:
        """Images as the attacked gradient sees them: the policies fire, random crops do not."""
        if self._policies is None:
            return images
        return np.stack([self._policies.apply(image, rng) for image in images])


NO_MODE = Mode("none")

WrittenMode = Annotated[
    Mode,
    PlainValidator(lambda value: value if isinstance(value, Mode) else Mode(TypeAdapter(str).validate_python(value))),
    PlainSerializer(str, return_type=str),
]
"""A mode in a configuration, where it is written as its text."""
