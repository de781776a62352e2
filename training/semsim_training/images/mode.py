"""What a client does to its images before it computes a gradient."""

import numpy as np
from numpy.typing import NDArray

from semsim_training.images.policies import Policies, crop_and_flip

Images = NDArray[np.uint8]


class Mode:
    """``none``; ``crop``; or augmentation policies, which come after ``crop`` as in the SemSim paper's code."""

    def __init__(self, text: str) -> None:
        """Read a mode.

        Raises:
            InvalidConfiguration: no such mode.
        """
        self.text = text
        self._policies = None if text in ("none", "crop") else Policies.parse(text)

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
