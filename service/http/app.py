"""The HTTP routes, as a Starlette application that BentoML mounts."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from semsim.exceptions import ErrorCode, NotReady, RequestError, UnsupportedMediaType
from service.core.schemas import EncodedPair, RejectedPair, ScoreResponse
from service.core.scoring import ScoringCore
from service.http.body import parse_multipart, read_body
from service.http.errors import error_response
from service.http.json_body import parse_json
from service.http.openapi import openapi
from service.http.page import HEADERS, page
from service.metrics import OK

logger = logging.getLogger("semsim.service")

_TRANSPORT = "http"
_Endpoint = Callable[[Request], Awaitable[Response]]


class HTTPTransport:
    """The routes; ``core`` is given once the model is loaded and warm."""

    def __init__(self) -> None:
        self.core: ScoringCore | None = None
        self.request_seconds = 30.0
        self.app = Starlette(
            routes=[
                Route("/", self._page, methods=["GET"]),
                Route("/score", self._guarded(self._score), methods=["POST"]),
                Route("/model", self._guarded(self._model), methods=["GET"]),
                Route("/docs.json", self._docs, methods=["GET"]),
            ]
        )

    def _ready(self) -> ScoringCore:
        if self.core is None:
            raise NotReady("expected a model that is loaded and warm, got a service that is still starting")
        return self.core

    async def _score(self, request: Request) -> Response:
        core = self._ready()
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type not in ("application/json", "multipart/form-data"):
            raise UnsupportedMediaType(
                "expected Content-Type application/json or multipart/form-data, got "
                + ("none" if not content_type else "another")
            )
        if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise UnsupportedMediaType("expected a body without Content-Encoding, got a compressed one")
        body = await read_body(request, core.limits)
        answer: ScoreResponse
        if content_type == "application/json":
            answer = await core.score(lambda: parse_json(body, core.limits))
        else:
            pairs: list[EncodedPair | RejectedPair] = [*await parse_multipart(request, body, core.limits)]
            answer = await core.score(lambda: pairs)
        core.metrics.requests.labels(_TRANSPORT, OK).inc()
        return _json(answer)

    async def _model(self, _: Request) -> Response:
        return _json(self._ready().model_info())

    async def _docs(self, _: Request) -> Response:
        return JSONResponse(openapi())

    async def _page(self, _: Request) -> Response:
        return HTMLResponse(page(), headers=HEADERS)

    def _guarded(self, endpoint: _Endpoint) -> _Endpoint:
        """The process edge: whatever an endpoint raises becomes an envelope and a count."""

        async def guarded(request: Request) -> Response:
            try:
                async with asyncio.timeout(self.request_seconds):
                    return await endpoint(request)
            except RequestError as error:
                return self._refused(error.code, str(error))
            except TimeoutError:
                return self._refused(ErrorCode.TIMEOUT, f"no answer within {self.request_seconds:g} seconds")
            except ClientDisconnect:
                return self._refused(ErrorCode.INVALID_REQUEST, "the client went before its body was there")
            except Exception:
                # The trace goes to the log, never to the client; it holds no request data.
                logger.exception("unexpected error on %s", request.url.path)
                return self._refused(ErrorCode.INTERNAL, "unexpected error; the service's log has the details")

        return guarded

    def _refused(self, code: ErrorCode, message: str) -> Response:
        if self.core is not None:
            self.core.metrics.requests.labels(_TRANSPORT, code.value).inc()
        return error_response(code, message)


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")
