"""Reading a request body: bounded, and never to disk, since it holds private images."""

import sys
from collections.abc import AsyncGenerator, Callable
from math import inf

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from semsim.exceptions import BodyTooLarge, InvalidRequest, RequestCancelled, TooManyPairs
from semsim_service.core.matching import match_pairs
from semsim_service.core.schemas import EncodedPair
from semsim_service.settings import Limits

# Beyond what the pairs can have: a few pairs too many are counted exactly.
_PARTS_TO_SPARE = 1000


async def read_body(request: Request, limits: Limits, reserve: Callable[[int], None]) -> bytes:
    """The whole body, refused as soon as its announced or its real length passes the limit.

    ``reserve`` takes room in the queue for what has come: a client that announces much and sends nothing holds none.

    Raises:
        BodyTooLarge: over the limit.
        Overloaded: the queue has no room for it.
        RequestCancelled: the client went in the middle of it.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limits.body_bytes:
        raise BodyTooLarge(f"expected a body of at most {limits.body_bytes} bytes, got {announced}")
    reserved = 1  # a queue that is full refuses before anything is read
    reserve(reserved)
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            chunks.append(chunk)
            size += len(chunk)
            if size > limits.body_bytes:
                raise BodyTooLarge(f"expected a body of at most {limits.body_bytes} bytes, got more")
            if size > reserved:
                reserve(size - reserved)
                reserved = size
    except ClientDisconnect:
        raise RequestCancelled("the client went before its body was there") from None
    return b"".join(chunks)


class _InMemoryParser(MultiPartParser):
    # Starlette writes files over 1 MB to a temporary file. The body is bounded already, and in memory.
    spool_max_size = sys.maxsize

    def __init__(self, headers: Headers, stream: AsyncGenerator[bytes, None], limits: Limits) -> None:
        # Starlette's own limits know nothing of pairs, and their messages would not help.
        super().__init__(headers, stream, max_files=inf, max_fields=inf, max_part_size=sys.maxsize)
        self._pairs = limits.pairs
        self._parts = 0

    def on_part_begin(self) -> None:
        """Count the parts: a pair has an original, a reconstruction and an id at the most."""
        self._parts += 1
        if self._parts > 3 * self._pairs + _PARTS_TO_SPARE:
            raise TooManyPairs(f"expected at most {self._pairs} pairs a request, got a body of far more parts")
        super().on_part_begin()


async def parse_multipart(request: Request, body: bytes, limits: Limits) -> list[EncodedPair]:
    """Pairs from the files ``original`` and ``reconstruction``, repeated, and fields ``id``, optional.

    The i-th original belongs to the i-th reconstruction; one single original belongs to all of them.

    Raises:
        InvalidRequest: not multipart, other fields than those, or counts that do not fit.
        TooManyPairs: more parts than the allowed pairs can have.
    """

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    _, parameters = parse_options_header(request.headers.get("content-type"))
    if parameters.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"utf8"):
        raise InvalidRequest("expected multipart/form-data in UTF-8, got another charset")
    if not body.rstrip().endswith(b"--"):  # the parser would take what came before the cut for the whole
        raise InvalidRequest("expected multipart/form-data up to its closing boundary, got a body that ends before it")
    try:
        form = await _InMemoryParser(request.headers, stream(), limits).parse()
    except (MultiPartException, KeyError) as error:
        reason = error.message if isinstance(error, MultiPartException) else "no boundary"
        raise InvalidRequest(f"expected multipart/form-data, got a body that is not: {reason}") from None
    try:
        return await _pairs(form)
    finally:
        await form.close()


async def _pairs(form: FormData) -> list[EncodedPair]:
    unknown = sorted(set(form.keys()) - {"original", "reconstruction", "id"})
    if unknown:
        raise InvalidRequest(f"expected the parts original, reconstruction and id, got also {len(unknown)} others")
    originals, reconstructions = await _files(form, "original"), await _files(form, "reconstruction")
    ids = [value for value in form.getlist("id") if isinstance(value, str)]
    if len(ids) != len(form.getlist("id")):
        raise InvalidRequest("expected id as a plain field, got a file part")
    return match_pairs(originals, reconstructions, ids)


async def _files(form: FormData, name: str) -> list[bytes]:
    values = form.getlist(name)
    files = [value for value in values if isinstance(value, UploadFile)]
    if len(files) != len(values):
        raise InvalidRequest(f"expected {name} as a file part, with a filename, got a plain field")
    return [await file.read() for file in files]
