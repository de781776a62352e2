"""A scorer whose network runs elsewhere."""

from collections.abc import Iterable
from typing import Any, Self, Unpack

import numpy as np
from numpy.typing import NDArray

from semsim.client.connection import ConnectionOptions
from semsim.client.refusals import error_of
from semsim.client.sync_client import Client
from semsim.images import DecodeLimits, Source
from semsim.images.limits import DEFAULT_LIMITS
from semsim.pairs import PairFailure, decode_each, require_scorable
from semsim.progress import Progress, silent
from semsim.scorer import PairScore
from semsim.stages import Stage, StageClock


class RemoteScorer:
    """Takes the place of :class:`semsim.scorer.Scorer` where pairs are scored, with the results of a service.

    It has the scorer's ``manifest``, ``score``, ``score_pairs``, ``score_images`` and ``leakage``. It has no
    embeddings (``embed``, ``prepare``, ``combine``), since the service gives none away, and no execution provider.
    Close it, or use it in a ``with`` block.

    Args:
        url: the service's address.
        controls: False where it is not asked whether a reconstruction is identified.
        options: those of :class:`semsim.client.connection.Connection`.

    Raises:
        InvalidOption: the address, a certificate or another option cannot be used.
        SemSimError: the service is away, or refuses to tell its model.
    """

    pairs_at_once = 512
    """The pairs that a long run gives to :meth:`score_pairs` at a time: enough to keep several requests under way."""

    def __init__(self, url: str, *, controls: bool = True, **options: Unpack[ConnectionOptions]) -> None:
        self.wants_controls = controls
        self._client = Client(url, controls=controls, **options)
        try:
            self.service = self._client.model()
        except BaseException:
            self._client.close()
            raise
        self.manifest = self.service.manifest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def score(self, original: Any, reconstruction: Any) -> PairScore:
        """Score one pair.

        Raises:
            InvalidImage: one of the two images cannot be scored.
            InvalidPair: the reconstruction is not laid out as its original.
            SemSimError: the service does not answer, refuses the request, or answers something else.
        """
        return self._client.score(original, reconstruction)

    def score_pairs(
        self,
        pairs: Iterable[tuple[Any, Any]],
        *,
        limits: DecodeLimits = DEFAULT_LIMITS,
        clock: StageClock | None = None,
        progress: Progress = silent,
    ) -> list[PairScore | PairFailure]:
        """Score many pairs; what is no pair, or cannot be scored, fails alone, at its own index.

        ``clock`` gets the whole time as that of the network; ``progress`` is told of the pairs that have an outcome.

        Raises:
            InvalidPair: ``pairs`` is no sequence of pairs.
            SemSimError: the service does not answer, refuses requests, or answers something else.
        """
        with (clock or StageClock()).measure(Stage.NETWORK):
            return self._client.score_pairs(pairs, limits=limits, progress=progress)

    def score_images(
        self, originals: Iterable[Source], reconstructions: Iterable[Source], *, clock: StageClock | None = None
    ) -> list[PairScore]:
        """Score N originals, of any sizes, with as many reconstructions.

        Raises:
            ValueError: there are not as many originals as reconstructions.
            InvalidPair: a reconstruction is not laid out as its original.
            InvalidImage: an image cannot be decoded, is too small, or too large for the service.
            SemSimError: the service does not answer, refuses requests, or answers something else.
        """
        left, right = list(decode_each(originals)), list(decode_each(reconstructions))
        if len(left) != len(right):
            raise ValueError(f"expected as many reconstructions as originals, got {len(right)}, {len(left)}")
        pairs = list(zip(left, right, strict=True))
        for image in (*left, *right):
            require_scorable(image)
        scores = []
        for outcome in self.score_pairs(pairs, clock=clock):
            if isinstance(outcome, PairFailure):
                raise error_of(outcome)
            scores.append(outcome)
        return scores

    def leakage(self, distances: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """The calibrated leakage ``(N,)`` of distances ``(N,)``; None where the model carries no calibration."""
        calibration = self.manifest.calibration
        return None if calibration is None else calibration.leakage(distances)
