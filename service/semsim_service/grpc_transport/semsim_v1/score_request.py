"""Reads a ``semsim.v1.ScoreRequest``: its pairs and its claim."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import ErrorCode, InvalidArray, InvalidPair, InvalidRequest
from semsim.pairs import PairFailure
from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim_service.core.claim import FEW_PAIRS, Claim
from semsim_service.core.pairing import match_pairs
from semsim_service.core.received import ImageInput, ReceivedPair, ReceivedRequest, RejectedPair
from semsim_service.core.schemas import MAX_ID_LENGTH
from semsim_service.grpc_transport.calls.raw_images import CHANNELS, claim_of_tensors, view_images
from semsim_service.settings import Limits


def read_request(request: pb.ScoreRequest, limits: Limits) -> ReceivedRequest:
    """A request, raw images as views of its bytes. A pair that cannot be read fails alone.

    Raises:
        InvalidRequest: the request has no pairs, pairs of both kinds, or raw tensors that do not fit together.
        TooManyPairs: the request has more pairs than the limit.
    """
    return ReceivedRequest(_read_pairs(request, limits), request.controls or not request.HasField("controls"))


def _read_pairs(request: pb.ScoreRequest, limits: Limits) -> Sequence[ReceivedPair | RejectedPair]:
    if request.HasField("batch"):
        if request.pairs or request.HasField("original"):
            raise InvalidRequest("expected pairs or a batch, got both")
        return _read_batch(request.batch, limits)
    if not request.pairs:
        raise InvalidRequest("expected at least one pair, or a batch, got neither")
    limits.check_pairs(len(request.pairs))
    shared = _read_shared(request)
    return [_read_pair(pair, shared) for pair in request.pairs]


def claim_of(request: pb.ScoreRequest) -> Claim:
    """The claim of a request. Of more than a few pairs outside a batch it has only the number."""
    if request.HasField("batch"):
        originals, reconstructions = request.batch.originals, request.batch.reconstructions
        return claim_of_tensors(
            [(images.count, images.height, images.width) for images in (originals, reconstructions)]
        )
    count = len(request.pairs)
    if count > FEW_PAIRS:
        return Claim(count)
    # An original for all counts once a pair, since each reconstruction is enlarged to it.
    images = [pair.original if pair.HasField("original") else request.original for pair in request.pairs]
    images += [pair.reconstruction for pair in request.pairs]
    if any(image.WhichOneof("kind") == "encoded" for image in images):
        return Claim(count)
    return Claim(count, sum(image.raw.height * image.raw.width for image in images))


def _read_batch(batch: pb.RawBatch, limits: Limits) -> list[ReceivedPair]:
    limits.check_pairs(max(batch.originals.count, batch.reconstructions.count))
    return match_pairs(
        _views(batch.originals, "originals"), _views(batch.reconstructions, "reconstructions"), batch.ids
    )


def _views(images: pb.RawImages, name: str) -> list[NDArray[np.uint8]]:
    return list(view_images(images.pixels, images.count, images.height, images.width, name))


def _read_shared(request: pb.ScoreRequest) -> ImageInput | InvalidArray | InvalidPair | None:
    """The original for all pairs. It is read once and stays one object; a bad one fails the pairs that need it."""
    if not request.HasField("original"):
        return None
    try:
        return _read_image("original", request.original)
    except (InvalidArray, InvalidPair) as error:
        return error


def _read_pair(pair: pb.Pair, shared: ImageInput | InvalidArray | InvalidPair | None) -> ReceivedPair | RejectedPair:
    pair_id = pair.id if pair.HasField("id") else None
    if pair_id is not None and len(pair_id) > MAX_ID_LENGTH:
        message = f"expected an id of at most {MAX_ID_LENGTH} characters, got {len(pair_id)}"
        return RejectedPair(None, PairFailure(ErrorCode.INVALID_PAIR, message))
    try:
        return ReceivedPair(pair_id, _original(pair, shared), _reconstruction(pair))
    except (InvalidArray, InvalidPair) as error:
        return RejectedPair(pair_id, PairFailure(error.code, str(error)))


def _original(pair: pb.Pair, shared: ImageInput | InvalidArray | InvalidPair | None) -> ImageInput:
    if pair.HasField("original"):
        return _read_image("original", pair.original)
    if shared is None:
        raise InvalidPair("expected an original, of the pair or of the request, got none")
    if isinstance(shared, InvalidArray | InvalidPair):
        raise shared
    return shared


def _reconstruction(pair: pb.Pair) -> ImageInput:
    if not pair.HasField("reconstruction"):
        raise InvalidPair("expected a reconstruction, got none")
    return _read_image("reconstruction", pair.reconstruction)


def _read_image(role: str, image: pb.Image) -> ImageInput:
    kind = image.WhichOneof("kind")
    if kind == "encoded":
        return image.encoded
    if kind is None:
        raise InvalidPair(f"{role}: expected encoded or raw, got neither")
    raw = image.raw
    expected = raw.height * raw.width * CHANNELS
    pixels = raw.pixels
    if expected == 0 or len(pixels) != expected:
        raise InvalidArray(
            f"{role}: expected {expected} bytes for {raw.height}x{raw.width}x{CHANNELS}, got {len(pixels)}"
        )
    return np.frombuffer(pixels, dtype=np.uint8).reshape(raw.height, raw.width, CHANNELS)
