"""The refusal of a connection whose bytes are no request that the service takes. It ends the connection."""

from http import HTTPStatus

from semsim.exceptions import ErrorCode
from semsim_service.http.errors import error_response


class RefusedConnection(Exception):
    """A refusal of all that came, behind which nothing can be read.

    Args:
        message: what was expected, and what came.
        status: the status of the answer.
    """

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status = status

    def answer(self) -> bytes:
        """The whole answer, in the envelope. It says that the connection closes."""
        response = error_response(ErrorCode.INVALID_REQUEST, str(self))
        headers = (*response.raw_headers, (b"connection", b"close"))
        head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        return b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (self.status, self.status.phrase.encode(), head, bytes(response.body))
