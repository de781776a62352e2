"""The images of an audit, dealt to the audited clients, the training, its test and the controls."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidConfiguration
from semsim.images import RGBImage
from semsim_federation.audit_run.audit_config import AuditConfiguration
from semsim_training.client_images.labelled import LabelledImages
from semsim_training.client_images.network_inputs import Inputs


@dataclass(frozen=True, slots=True, eq=False)
class HeldImages:
    """Images as a network takes them, with their classes."""

    images: NDArray[np.uint8]
    """``(N, H, W, C)``."""
    labels: NDArray[np.int64]
    """``(N,)``."""

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: Sequence[int] | NDArray[np.int64] | slice) -> "HeldImages":
        """A part of the images."""
        return HeldImages(self.images[indices], self.labels[indices])


@dataclass(frozen=True, slots=True, eq=False)
class DealtImages:
    """The images of an audit, no image in two places."""

    dataset: str
    """The name of the data set."""
    clients: tuple[HeldImages, ...]
    """The images of each audited client. A client with a smaller batch holds the first of them."""
    training: HeldImages
    test: HeldImages
    controls: tuple[RGBImage, ...]
    """The public images, ``(H, W, 3)``."""
    sha256: str
    """The hash of all images and labels in their places."""


def deal(configuration: AuditConfiguration, inputs: Inputs) -> DealtImages:
    """Read the images and deal them by the seed.

    Raises:
        InvalidDataset: the images are not there or not readable.
        InvalidConfiguration: there are too few, they have another size or colours than the network takes, or classes
            that it does not have.
    """
    pool = configuration.images.load()
    images, federation = _as_taken(pool, inputs), configuration.federation
    held = max(configuration.axes.batches)
    test = 0 if federation is None else federation.test_images
    trained = 0 if federation is None else federation.clients * federation.images
    taken = 0 if not isinstance(configuration.controls, int) else configuration.controls
    needed = configuration.clients * held + taken + test + trained
    if needed > len(pool):
        raise InvalidConfiguration(
            f"expected at least {needed} images in {pool.name} ({configuration.clients} clients of {held}, {taken} "
            f"controls, {test} for the test, {trained} for a round of training), got {len(pool)}"
        )
    order = np.random.default_rng(configuration.seed).permutation(len(pool))
    everything = HeldImages(images, pool.labels).take(order)
    starts = np.cumsum([0, *[held] * configuration.clients, test, taken])
    parts = [everything.take(slice(start, stop)) for start, stop in zip(starts, [*starts[1:], None], strict=True)]
    *clients, tested, _, training = parts
    if isinstance(configuration.controls, int):
        public = [pool.images[index] for index in order[starts[-2] : starts[-1]]]
    else:
        public = list(configuration.controls.load().images)
    return DealtImages(
        dataset=pool.name,
        clients=tuple(clients),
        training=training,
        test=tested,
        controls=tuple(public),
        sha256=_hash([everything.images, everything.labels, *public]),
    )


def _as_taken(pool: LabelledImages, inputs: Inputs) -> NDArray[np.uint8]:
    """The pool's images with the network's channels, after a check of their size and classes."""
    channels, height, width = inputs.shape
    if pool.images.shape[1:3] != (height, width):
        got = " x ".join(map(str, pool.images.shape[1:3]))
        raise InvalidConfiguration(f"expected images of {height} x {width} pixels, as the network takes, got {got}")
    if channels not in (1, 3):
        raise InvalidConfiguration(
            f"expected a network of 1 or 3 channels, of which pictures can be made, got {channels}"
        )
    if channels == 1 and (pool.images != pool.images[..., :1]).any():
        raise InvalidConfiguration(
            f"expected grey images in {pool.name} for a network of one channel, got a coloured one"
        )
    if int(pool.labels.max()) >= inputs.classes:
        raise InvalidConfiguration(
            f"expected labels below the network's {inputs.classes} classes in {pool.name}, got {int(pool.labels.max())}"
        )
    return pool.images[..., :channels]


def _hash(arrays: Sequence[NDArray[np.generic]]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
