"""Attacks of other packages: recipes, and functions of an observation."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from semsim_training.attacks.explanation import explanations, status_of
from semsim_training.attacks.labels import infer_labels
from semsim_training.attacks.reconstruction import Reconstruction
from semsim_training.observations.observation import Observation
from semsim_training.plug_ins import PlugIn

AttackFunction = Callable[[Observation], Reconstruction | NDArray[np.uint8]]
"""An attack that is a function: from an observation to its images ``(images, H, W, C)``, or to a whole result."""


def reconstruction_of(
    observation: Observation, images: NDArray[np.uint8], labels: Sequence[int] | None = None
) -> Reconstruction:
    """The result of an attack that made ``images`` ``(images, H, W, C)``, with the share that they explain.

    ``labels`` are the classes of the images; where they are not given, they are the observation's, or inferred from
    the update.

    Raises:
        InvalidUpdate: labels cannot be inferred from this update.
    """
    known = labels if labels is not None else observation.labels
    classes = tuple(known) if known is not None else infer_labels(observation)
    (explanation,) = explanations([observation], [images], [classes])
    return Reconstruction(images, status_of(explanation), 0.0, classes, explanation, "closed form")


def solved_by(plug_in: PlugIn, function: AttackFunction, observation: Observation) -> Reconstruction:
    """The result of a plug-in's function on an observation.

    Raises:
        InvalidUpdate: the function cannot work on the observation, and says so.
        InvalidConfiguration: it fails, or gives no images of the observation's number and shape.
    """
    made = plug_in.call(function, observation)
    images = made.images if isinstance(made, Reconstruction) else made
    channels, height, width = observation.victim.inputs.shape
    expected = (observation.images, height, width, channels)
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape != expected:
        got = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else type(images).__name__
        raise plug_in.refused(f"a Reconstruction or images, uint8 {expected},", got)
    return made if isinstance(made, Reconstruction) else reconstruction_of(observation, images)
