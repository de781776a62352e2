"""JSON bodies to pairs. A body of another shape is refused; a bad pair inside it fails alone."""

import base64
import binascii
from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json

from semsim.exceptions import ErrorCode, InvalidBase64, InvalidRequest, TooManyBytes, TooManyPairs
from semsim.pairs import PairFailure
from semsim_service.core.received import ReceivedPair, ReceivedRequest, RejectedPair
from semsim_service.core.schemas import MAX_ID_LENGTH, PairInput, ScoreRequest
from semsim_service.http.repeated_fields import may_repeat_fields, refuse_repeated_fields
from semsim_service.settings import Limits

_SHOWN_PROBLEMS = 5
# base64 tools break lines, at 76 characters at the least.
_LINE_BREAKS = 1.04
_BLANKS = b" \t\r\n\v\f"
_COUNTED_BYTES = 2**20


def claimed_pairs(body: bytes) -> int:
    """The number of pairs that the first MiB of a JSON body seems to hold, counted by a field's name, unparsed."""
    return body.count(b'"reconstruction"', 0, _COUNTED_BYTES)


def parse_json(body: bytes, limits: Limits, *, controls: bool = True, histogram: bool = False) -> ReceivedRequest:
    """The request in a JSON body. Base64 is decoded here, within the limit of one image.

    Args:
        body: the body.
        limits: the limits of a request.
        controls: False where the request's header wants none; the body's own field may want none, too.
        histogram: True where the request's header asks how far the controls are.

    Raises:
        InvalidRequest: the body is not JSON, gives a field twice, or has another shape than a request, outside its
            pairs.
        TooManyPairs: the body has far more commas than the allowed pairs can have.
    """
    # Base64 has no comma. So many commas are far more pairs than allowed, and validating these would stop the service.
    if body.count(b",") > limits.pairs * (MAX_ID_LENGTH + 4):
        raise TooManyPairs(f"expected at most {limits.pairs} pairs a request, got far more")
    try:
        request = ScoreRequest.model_validate_json(body)
    except ValidationError as error:
        refuse_repeated_fields(body)
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        return _salvage(body, problems, limits, controls, histogram)
    if may_repeat_fields(body, request):
        refuse_repeated_fields(body)
    return ReceivedRequest([_decoded(pair, limits) for pair in request.pairs], controls and request.controls, histogram)


def _salvage(
    body: bytes, problems: list[ErrorDetails], limits: Limits, controls: bool, histogram: bool
) -> ReceivedRequest:
    """Keep the sound pairs, where every problem lies inside a pair."""
    inside = [problem for problem in problems if len(problem["loc"]) >= 2 and problem["loc"][0] == "pairs"]
    if len(inside) != len(problems):
        raise InvalidRequest(f"expected {{'pairs': [{{'original', 'reconstruction'}}, ...]}}, got {_listed(problems)}")
    by_index: dict[int, list[ErrorDetails]] = {}
    for problem in inside:
        by_index.setdefault(int(problem["loc"][1]), []).append(problem)
    request = from_json(body)
    pairs = [
        _rejected(raw, by_index[i]) if i in by_index else _decoded(PairInput.model_validate(raw), limits)
        for i, raw in enumerate(request["pairs"])
    ]
    return ReceivedRequest(pairs, controls and request.get("controls", True), histogram)


def _rejected(raw: object, problems: Sequence[ErrorDetails]) -> RejectedPair:
    message = f"expected {{'original', 'reconstruction'}}, got {_listed(problems)}"
    return RejectedPair(_id(raw), PairFailure(ErrorCode.INVALID_PAIR, message))


def _id(raw: object) -> str | None:
    pair_id = raw.get("id") if isinstance(raw, dict) else None
    return pair_id if isinstance(pair_id, str) and len(pair_id) <= MAX_ID_LENGTH else None


def _listed(problems: Sequence[ErrorDetails]) -> str:
    """The problems and their places, in words that hold nothing of the body: its field names are the sender's, too."""
    known = {*ScoreRequest.model_fields, *PairInput.model_fields}
    lines = []
    for problem in problems[:_SHOWN_PROBLEMS]:
        path = ".".join(str(part) if isinstance(part, int) or part in known else "?" for part in problem["loc"])
        lines.append(f"{path}: {problem['msg']}" if path else problem["msg"])
    more = len(problems) - len(lines)
    return "; ".join(lines) + (f"; and {more} more" if more else "")


def _decoded(pair: PairInput, limits: Limits) -> ReceivedPair | RejectedPair:
    try:
        return ReceivedPair(
            pair.id,
            _image("original", pair.original, limits),
            _image("reconstruction", pair.reconstruction, limits),
        )
    except (InvalidBase64, TooManyBytes) as error:
        return RejectedPair(pair.id, PairFailure(error.code, str(error)))


def _image(role: str, text: str, limits: Limits) -> bytes:
    size = len(text) * 3 // 4
    if size > limits.image_bytes * _LINE_BREAKS + 2:  # an upper bound; the decoder counts exactly
        raise TooManyBytes(f"{role}: expected at most {limits.image_bytes} bytes an image, got about {size}")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    try:  # base64 tools break lines
        return base64.b64decode(text.encode("ascii").translate(None, _BLANKS), validate=True)
    except (binascii.Error, ValueError):
        kind = "a data: URI" if text.startswith("data:") else f"{len(text)} characters that are not"
        raise InvalidBase64(f"{role}: expected standard base64, got {kind}") from None
