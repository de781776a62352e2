"""Multipart bodies to pairs. The files stay in memory, since they are private images."""

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from semsim.exceptions import InvalidRequest, TooManyPairs
from semsim.stages import Pause
from semsim_service.core.pairing import match_pairs
from semsim_service.core.received import ReceivedPair
from semsim_service.settings import Limits

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

# More boundaries than the parts of the pairs can have are refused unread. A few pairs too many are counted exactly.
_PARTS_TO_SPARE = 1000
_PIECE_BYTES = 2**16
"""The bytes that are parsed between two pauses: 10 ms of work at the most (measured)."""
_MOST_BLANKS = 100
"""The blanks behind a boundary, which RFC 2046 allows. The parser takes them one by one, and nobody sends any."""
_COUNTED_BYTES = 2**20
_LAST_BYTES = 2**10
"""The blanks and ends of lines behind the closing boundary that are taken."""


def claimed_form_pairs(body: bytes) -> int:
    """The number of pairs that the first MiB of a multipart body seems to hold, counted by a part's name, unparsed."""
    return body.count(b' name="reconstruction"', 0, _COUNTED_BYTES)


def parse_multipart(content_type: str, body: bytes, limits: Limits, pause: Pause) -> list[ReceivedPair]:
    """The pairs of the files ``original`` and ``reconstruction``, repeated, and of the optional fields ``id``.

    The i-th original belongs to the i-th reconstruction. A single original belongs to every reconstruction.

    Args:
        content_type: the header, which names the boundary.
        body: the body.
        limits: the limits of a request.
        pause: called between two pieces of the work, of some milliseconds each. It may raise, to end the work.

    Raises:
        InvalidRequest: the body is not multipart, has other fields than those, or counts that do not fit.
        TooManyPairs: the body has more boundaries than the parts of the allowed pairs can have.
    """
    _, parameters = parse_options_header(content_type)
    if parameters.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"utf8"):
        raise InvalidRequest("expected multipart/form-data in UTF-8, got another charset")
    if b"boundary" not in parameters:
        raise InvalidRequest("expected multipart/form-data, got a Content-Type without a boundary")
    try:
        form = _Form(parameters[b"boundary"])
        form.read(body, limits, pause)
    except FormParserError:  # its message holds bytes of the body
        raise InvalidRequest("expected multipart/form-data, got a body that is not") from None
    if not form.has_ended:  # the parser takes no notice of a part that is cut
        raise InvalidRequest("expected multipart/form-data up to its closing boundary, got a body that ends before it")
    return form.pairs()


class _Form:
    """The parts of a body by their names, as the parser finds them.

    Raises:
        FormParserError: the boundary is too long.
    """

    def __init__(self, boundary: bytes) -> None:
        self.has_ended = False
        self._files: defaultdict[bytes, list[bytes]] = defaultdict(list)
        self._fields: defaultdict[bytes, list[bytes]] = defaultdict(list)
        self._header, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._contents = bytearray()
        self._parts: list[bytes] = []
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin_part,
            "on_header_field": self._add_to_header,
            "on_header_value": self._add_to_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._add_to_part,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }
        self._parser = MultipartParser(boundary, callbacks)
        self._delimiter = b"\r\n--" + boundary
        self._padded = re.compile(re.escape(self._delimiter) + rb"[ \t]{%d}" % (_MOST_BLANKS + 1))

    def read(self, body: bytes, limits: Limits, pause: Pause) -> None:
        """Parse the body in pieces, and refuse one of far too many boundaries before they are parsed: each costs time.

        Raises:
            FormParserError: it is no multipart.
            InvalidRequest: a part has no name, a boundary is followed by many blanks, or the closing one by more.
            TooManyPairs: it has more boundaries than the parts of the allowed pairs can have.
        """
        boundaries = 0
        for start in range(0, len(body), _PIECE_BYTES):
            pause()
            end = start + _PIECE_BYTES
            found = body.count(self._delimiter, start, end + len(self._delimiter) - 1)
            boundaries += found
            if boundaries > 3 * limits.pairs + _PARTS_TO_SPARE:  # an original, a reconstruction and an id
                raise TooManyPairs(f"expected at most {limits.pairs} pairs a request, got a body of far more parts")
            if found and self._padded.search(body, start, end + len(self._delimiter) + _MOST_BLANKS):
                raise InvalidRequest(f"expected at most {_MOST_BLANKS} blanks behind a boundary, got more")
            self._parser.write(body[start:end])
            if self.has_ended:
                self._refuse_more(body, max(0, start - len(self._delimiter) - 1))
                return

    def _refuse_more(self, body: bytes, before: int) -> None:
        """Refuse what stands behind the closing boundary, the first one from a place on. The parser would drop it.

        A second form there, or a part, would lose its pairs in silence.

        Raises:
            InvalidRequest: there is more than a few blanks and ends of lines.
        """
        closing = self._delimiter + b"--"
        end = body.find(closing, before) + len(closing)
        if len(body) - end > _LAST_BYTES or body[end:].strip():
            raise InvalidRequest("expected nothing behind the closing boundary of multipart/form-data, got more")

    def pairs(self) -> list[ReceivedPair]:
        """The pairs of the parts.

        Raises:
            InvalidRequest: there are other parts, files as fields or fields as files, or counts that do not fit.
        """
        unknown = {*self._files, *self._fields} - {b"original", b"reconstruction", b"id"}
        if unknown:
            raise InvalidRequest(f"expected the parts original, reconstruction and id, got also {len(unknown)} others")
        for name in ("original", "reconstruction"):
            if name.encode() in self._fields:
                raise InvalidRequest(f"expected {name} as a file part, with a filename, got a plain field")
        if b"id" in self._files:
            raise InvalidRequest("expected id as a plain field, got a file part")
        ids = [_text(value) for value in self._fields[b"id"]]
        return match_pairs(self._files[b"original"], self._files[b"reconstruction"], ids)

    def _begin_part(self) -> None:
        self._disposition = b""
        self._contents = bytearray()

    def _add_to_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise InvalidRequest("expected multipart/form-data, got a part without a name")
        self._parts = (self._files if b"filename" in options else self._fields)[options[b"name"]]

    def _add_to_part(self, data: bytes, start: int, end: int) -> None:
        self._contents += data[start:end]

    def _end_part(self) -> None:
        self._parts.append(bytes(self._contents))

    def _end(self) -> None:
        self.has_ended = True


def _text(value: bytes) -> str:
    """A field's text. What is no UTF-8 was written in Latin-1 by an old client."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
