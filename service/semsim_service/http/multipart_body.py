"""Multipart bodies to pairs. The files stay in memory, since they are private images."""

import sys
from collections.abc import AsyncGenerator
from math import inf

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from semsim.exceptions import InvalidRequest, TooManyPairs
from semsim_service.core.pairing import match_pairs
from semsim_service.core.received import ReceivedPair
from semsim_service.settings import Limits

# More parts than the pairs can have are refused unread. A few pairs too many are counted exactly.
_PARTS_TO_SPARE = 1000


class _InMemoryParser(MultiPartParser):
    # Starlette writes files over 1 MB to a temporary file. The body is bounded already, and in memory.
    spool_max_size = sys.maxsize

    def __init__(self, headers: Headers, stream: AsyncGenerator[bytes, None], limits: Limits) -> None:
        # Starlette's own limits know nothing of pairs, and their messages would not help.
        super().__init__(headers, stream, max_files=inf, max_fields=inf, max_part_size=sys.maxsize)
        self._pairs = limits.pairs
        self._parts = 0

    def on_part_begin(self) -> None:
        """Count the parts: a pair has at most an original, a reconstruction and an id."""
        self._parts += 1
        if self._parts > 3 * self._pairs + _PARTS_TO_SPARE:
            raise TooManyPairs(f"expected at most {self._pairs} pairs a request, got a body of far more parts")
        super().on_part_begin()


async def parse_multipart(headers: Headers, body: bytes, limits: Limits) -> list[ReceivedPair]:
    """The pairs of the files ``original`` and ``reconstruction``, repeated, and of the optional fields ``id``.

    The i-th original belongs to the i-th reconstruction. A single original belongs to every reconstruction.

    Raises:
        InvalidRequest: the body is not multipart, has other fields than those, or counts that do not fit.
        TooManyPairs: the body has more parts than the allowed pairs can have.
    """

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    _, parameters = parse_options_header(headers.get("content-type"))
    if parameters.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"utf8"):
        raise InvalidRequest("expected multipart/form-data in UTF-8, got another charset")
    if not body.rstrip().endswith(b"--"):  # the parser would take the part before the cut for the whole body
        raise InvalidRequest("expected multipart/form-data up to its closing boundary, got a body that ends before it")
    try:
        form = await _InMemoryParser(headers, stream(), limits).parse()
    except (MultiPartException, KeyError) as error:
        reason = error.message if isinstance(error, MultiPartException) else "no boundary"
        raise InvalidRequest(f"expected multipart/form-data, got a body that is not: {reason}") from None
    try:
        return await _read_form(form)
    finally:
        await form.close()


async def _read_form(form: FormData) -> list[ReceivedPair]:
    unknown = set(form.keys()) - {"original", "reconstruction", "id"}
    if unknown:
        raise InvalidRequest(f"expected the parts original, reconstruction and id, got also {len(unknown)} others")
    originals, reconstructions = await _read_files(form, "original"), await _read_files(form, "reconstruction")
    ids = [value for value in form.getlist("id") if isinstance(value, str)]
    if len(ids) != len(form.getlist("id")):
        raise InvalidRequest("expected id as a plain field, got a file part")
    return match_pairs(originals, reconstructions, ids)


async def _read_files(form: FormData, name: str) -> list[bytes]:
    values = form.getlist(name)
    files = [value for value in values if isinstance(value, UploadFile)]
    if len(files) != len(values):
        raise InvalidRequest(f"expected {name} as a file part, with a filename, got a plain field")
    return [await file.read() for file in files]
