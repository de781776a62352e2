"""Raw bodies to pairs: uint8 RGB images end to end, their shape in a header.

Nothing needs decoding: this is the fastest way in.
"""

import re
from dataclasses import dataclass

import numpy as np
from starlette.datastructures import Headers

from semsim.exceptions import InvalidRequest
from semsim_service.core.received import ReceivedPair
from semsim_service.settings import Limits

SHAPE_HEADER = "x-semsim-shape"
"""``N,H,W``: N pairs of images of H rows and W columns."""
ORIGINALS_HEADER = "x-semsim-originals"
"""``1`` where the body holds a single original, which belongs to all N reconstructions; else N."""

_SHAPE = re.compile(r"\s*([1-9]\d{0,8})\s*,\s*([1-9]\d{0,8})\s*,\s*([1-9]\d{0,8})\s*")


@dataclass(frozen=True, slots=True)
class RawShape:
    """The shape of a raw body: originals ``(originals, H, W, 3)``, then reconstructions ``(pairs, H, W, 3)``."""

    pairs: int
    originals: int
    height: int
    width: int

    @property
    def size(self) -> int:
        """The number of bytes that the body must have."""
        return (self.originals + self.pairs) * self.height * self.width * 3


def read_shape(headers: Headers, limits: Limits) -> RawShape:
    """The shape that the headers announce, checked against the limits before any of the body is read.

    Raises:
        InvalidRequest: the header is missing, or has another form.
        TooManyPairs: the header announces more pairs than the limit.
    """
    match = _SHAPE.fullmatch(headers.get(SHAPE_HEADER, ""))
    if match is None:
        raise InvalidRequest("expected a header X-Semsim-Shape: N,H,W with a raw body, got none or another form")
    pairs, height, width = map(int, match.groups())
    limits.check_pairs(pairs)
    originals = headers.get(ORIGINALS_HEADER, str(pairs)).strip()
    if originals not in ("1", str(pairs)):
        raise InvalidRequest(f"expected X-Semsim-Originals: 1 or {pairs}, got another value")
    return RawShape(pairs, int(originals), height, width)


def check_length(shape: RawShape, length: int) -> None:
    """Refuse a body of another length than its shape says.

    Raises:
        InvalidRequest: the body has more bytes, or fewer.
    """
    if length != shape.size:
        raise InvalidRequest(
            f"expected {shape.size} bytes for {shape.originals} originals and {shape.pairs} reconstructions of "
            f"{shape.height}x{shape.width}x3, got {length}"
        )


def parse_raw(body: bytes, shape: RawShape) -> list[ReceivedPair]:
    """The pairs of a raw body, as views of it.

    Raises:
        InvalidRequest: the body has another length than its shape says.
    """
    check_length(shape, len(body))
    images = np.frombuffer(body, dtype=np.uint8).reshape(-1, shape.height, shape.width, 3)
    originals, reconstructions = images[: shape.originals], images[shape.originals :]
    # A single original stays one object, so that it is read and embedded once.
    first = originals[0]
    return [
        ReceivedPair(None, first if shape.originals == 1 else originals[i], reconstruction)
        for i, reconstruction in enumerate(reconstructions)
    ]
