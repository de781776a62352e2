"""The envelope of every error over HTTP: ``{"error": {"code", "message"}}``."""

from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from semsim.exceptions import ErrorCode, Overloaded, RequestError, Unauthenticated
from semsim_service.core.schemas import ErrorEnvelope, Problem

_STATUS = {
    ErrorCode.INVALID_REQUEST: HTTPStatus.BAD_REQUEST,
    ErrorCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    ErrorCode.FORBIDDEN: HTTPStatus.FORBIDDEN,
    ErrorCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    ErrorCode.BODY_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ErrorCode.TOO_MANY_PAIRS: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ErrorCode.OVERLOADED: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorCode.NOT_READY: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.TIMEOUT: HTTPStatus.GATEWAY_TIMEOUT,
    ErrorCode.CANCELLED: HTTPStatus.BAD_REQUEST,  # nobody reads it
}
_CODE = {status: code for code, status in reversed(_STATUS.items())}

_CLOSED = "the handler is closed"


def error_response(code: ErrorCode, message: str) -> Response:
    """The envelope of one error, with the status of its code."""
    return Response(_body(code, message), status_code=status_of(code), media_type="application/json")


def status_of(code: ErrorCode) -> HTTPStatus:
    """The status of a code, or 500 where the code has none."""
    return _STATUS.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)


def refusal(error: RequestError) -> Response:
    """The envelope of a refused request, with the header that its status asks for."""
    response = error_response(error.code, str(error))
    if isinstance(error, Overloaded):
        response.headers["retry-after"] = str(error.retry_after)
    elif isinstance(error, Unauthenticated):
        response.headers["www-authenticate"] = "Bearer"
    return response


def _body(code: ErrorCode, message: str) -> bytes:
    return ErrorEnvelope(error=Problem(code=code, message=message)).model_dump_json().encode()


class EnvelopeMiddleware:
    """Puts the plain-text errors of BentoML's own routes (404, 405, not ready) into the envelope.

    Redirects become 404.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through, except redirects and the bodies of errors that are not JSON."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        replacement: bytes | None = None

        async def enveloped(message: Message) -> None:
            nonlocal replacement
            if message["type"] == "http.response.start" and _is_redirect(message):
                headers = MutableHeaders(raw=list(message["headers"]))
                del headers["location"]
                message = {**message, "status": int(HTTPStatus.NOT_FOUND), "headers": headers.raw}
            if message["type"] == "http.response.start" and _is_bare_error(message):
                code, text = _describe(message["status"], scope)
                replacement = _body(code, text)
                headers = MutableHeaders(raw=list(message["headers"]))
                headers["content-type"] = "application/json"
                headers["content-length"] = str(len(replacement))
                message = {**message, "headers": headers.raw}
            elif message["type"] == "http.response.body" and replacement is not None:
                if message.get("more_body", False):
                    return
                message = {**message, "body": b"" if scope["method"] == "HEAD" else replacement}
            await _unless_closed(send, message)

        await self.app(scope, receive, enveloped)


async def _unless_closed(send: Send, message: Message) -> None:
    """Send a message, unless the connection is closed: asyncio drops what is written to one, uvloop raises an error.

    Any client can bring that about: it closes the connection, or sends bytes that are not HTTP behind a request.
    """
    try:
        await send(message)
    except RuntimeError as error:
        if _CLOSED not in str(error):
            raise


def _is_redirect(start: Message) -> bool:
    """True where Starlette, asked for ``/score/``, leads to ``/score`` on whatever host the client named."""
    status = start["status"]
    return bool(HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST and status != HTTPStatus.NOT_MODIFIED)


def _is_bare_error(start: Message) -> bool:
    content_type = Headers(raw=list(start["headers"])).get("content-type", "")
    return bool(start["status"] >= HTTPStatus.BAD_REQUEST and not content_type.startswith("application/json"))


def _describe(status: int, scope: dict[str, Any] | Scope) -> tuple[ErrorCode, str]:
    server_side = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    code = _CODE.get(HTTPStatus(status), ErrorCode.INTERNAL if server_side else ErrorCode.INVALID_REQUEST)
    match code:
        case ErrorCode.NOT_FOUND:
            return code, "expected a path of this service, such as POST /score or GET /model; see /docs.json"
        case ErrorCode.METHOD_NOT_ALLOWED:
            return code, f"expected another method than {scope['method']} for this path"
        case ErrorCode.NOT_READY:
            return code, "the model is not loaded and warm yet"
        case _:
            return code, HTTPStatus(status).phrase
