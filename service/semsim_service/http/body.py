"""Reads the body of a request. Its size is bounded, and it never goes to disk, since it holds private images."""

from collections.abc import Callable

from starlette.requests import ClientDisconnect, Request

from semsim.exceptions import BodyTooLarge, RequestCancelled
from semsim_service.settings import Limits


async def read_body(request: Request, limits: Limits, reserve: Callable[[int], None]) -> bytes:
    """The whole body, refused as soon as its announced or its real length passes the limit.

    ``reserve`` takes room in the queue for the bytes that have come. So a client that announces much and sends nothing
    holds no room.

    Raises:
        BodyTooLarge: the body is over the limit.
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
