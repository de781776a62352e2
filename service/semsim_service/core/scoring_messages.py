"""The messages between a worker and the process that scores its little requests in groups."""

import pickle
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from semsim.artifact import Artifact
from semsim.chance import ControlEmbeddings
from semsim.images import RGBImage
from semsim.providers import ProviderSettings
from semsim.scorer import PairScore
from semsim_service.core.run_counts import NotedRuns

LENGTH = struct.Struct("!Q")
"""The bytes of the pickled message that follows."""


@dataclass(frozen=True, slots=True)
class Model:
    """The first message: the model, as the worker has loaded and checked it, and how it runs."""

    artifact: Artifact
    controls: ControlEmbeddings | None
    providers: ProviderSettings
    batch_size: int
    cache_bytes: int


TRIAL = 0
"""The number of the first question: known pairs, whose scores must be those of the worker."""
Question = tuple[int, Sequence[RGBImage], Sequence[RGBImage], bool, bool]
"""A little request: its number, its originals and reconstructions, and its wish for controls and for histograms. A
message holds several."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of one request, and where its time went: the fields of :class:`LittleRequest`."""

    number: int
    scores: list[PairScore] | None
    """None where the request failed: whoever asked scores it, and has the error."""
    began: float
    prepare_seconds: float
    inference_seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A message of the process: the scores of a group. The first one has those of the trial alone."""

    scored: Sequence[Scored]
    runs: NotedRuns


def message(content: object) -> bytes:
    """A message of either side, with its length."""
    pickled = pickle.dumps(content, protocol=5)
    return LENGTH.pack(len(pickled)) + pickled
