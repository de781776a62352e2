"""Makes uvicorn answer bytes that are not HTTP in the service's envelope. They never reach the application."""

import inspect
import logging

from semsim.exceptions import ErrorCode
from semsim_service.http.errors import error_response

logger = logging.getLogger("semsim.service")


def answer_malformed_in_envelope() -> bool:
    """Replace uvicorn's plain-text 400 by the envelope. Returns True if that was done.

    A version of uvicorn that writes it in another way is left as it is, with a line in the log.
    """
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    original = HttpToolsProtocol.__dict__.get("send_400_response")
    if original is None or not _is_known(original):
        logger.warning("uvicorn's answer to malformed requests is not the one known here: it stays plain text")
        return False

    def send_400_response(self: HttpToolsProtocol, msg: str) -> None:
        self.transport.write(_answer())
        self.transport.close()

    HttpToolsProtocol.send_400_response = send_400_response  # type: ignore[method-assign]
    return True


def _is_known(function: object) -> bool:
    if not inspect.isfunction(function):
        return False
    source = inspect.getsource(function)
    steps = ('b"content-type: text/plain; charset=utf-8\\r\\n"', "self.transport.write(", "self.transport.close()")
    return list(inspect.signature(function).parameters) == ["self", "msg"] and all(step in source for step in steps)


def _answer() -> bytes:
    response = error_response(ErrorCode.INVALID_REQUEST, "expected an HTTP/1.1 request, got something else")
    headers = (*response.raw_headers, (b"connection", b"close"))
    head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return b"HTTP/1.1 400 Bad Request\r\n" + head + b"\r\n" + bytes(response.body)
