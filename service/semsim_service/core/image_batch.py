"""One run of the network: the images of requests that share it, and who gets which embedding."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from semsim.scorer import PreparedPairs

Images = NDArray[np.uint8]
Embeddings = NDArray[np.float32]


def nobody_waits(_job: "Job", _error: Exception | None) -> None:
    """Do nothing at the end of a job."""


@dataclass(slots=True, eq=False)
class Job:
    """The images of one request, or of one group of little requests. The batcher fills in the rest."""

    images: Images
    """The distinct images, at the network's size, ``(U, H, W, 3)``."""
    digests: Sequence[bytes]
    """A digest of each image. Images of equal digests share an embedding."""
    last_rows: NDArray[np.intp]
    """For each pair the later of its two rows. The pair is complete when that row is."""
    embeddings: Embeddings
    """The embeddings of the images, ``(U, D)``, filled when the job is finished."""
    copies: int = 0
    """The number of images that are copies of these, of other requests of the job."""
    finish: Callable[["Job", Exception | None], None] = nobody_waits
    """Called once at the end, with this job and the error if there is one, in the thread that ran the network."""
    wanted: Callable[[], bool] = lambda: True
    """False where nobody waits any more. Such a job fails, without its embeddings."""
    waiting_since: float = field(default_factory=time.monotonic)
    began: float = 0.0
    """The time when its first image was taken into a batch, seconds of ``time.monotonic``."""
    inference_seconds: float = 0.0
    taken: int = 0
    done: int = 0

    def completed_pairs(self, first: int, end: int) -> int:
        """The number of pairs whose later row is at least ``first`` and less than ``end``."""
        return int(np.count_nonzero((self.last_rows >= first) & (self.last_rows < end)))


@dataclass(slots=True)
class ImageBatch:
    """One run of the network: its images, and which job gets which embedding."""

    images: list[Images] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    shares: list[tuple[Job, list[int], list[int]]] = field(default_factory=list)
    """Each job with rows of it, and for each row its place in the batch."""
    cached: list[tuple[Job, int, Embeddings]] = field(default_factory=list)
    """Each job with a row of it, and the embedding of that row from the cache."""
    copies: int = 0
    taken: list[tuple[Job, int, int]] = field(default_factory=list)
    """Each job that has images here, its first row in this batch, and the row behind its last one."""

    @property
    def jobs(self) -> list[Job]:
        """The jobs that have images here."""
        return [job for job, _, _ in self.taken]

    @property
    def completed_pairs(self) -> int:
        """The number of pairs that are complete with this batch."""
        return sum(job.completed_pairs(first, end) for job, first, end in self.taken)

    def stack(self) -> Images:
        """The images, each contiguous, as one read-only array ``(N, H, W, 3)``.

        ``np.stack`` would let go of the interpreter for each image, and wait to have it back from a busy event loop.
        """
        joined = b"".join(image.data for image in self.images)
        return np.frombuffer(joined, dtype=np.uint8).reshape(len(self.images), *self.images[0].shape)


def last_rows(pairs: PreparedPairs) -> NDArray[np.intp]:
    """For each pair the later of its two rows, ``(N,)``: the pair is complete when that image is embedded."""
    return np.maximum(pairs.originals, pairs.reconstructions)
