"""The routes of HTTP, as a Starlette application that BentoML mounts."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from semsim.exceptions import ErrorCode, NotReady, RequestError, UnsupportedMediaType
from semsim_service.core.call import Call, Transport, accept_request_id
from semsim_service.core.claim import Claim
from semsim_service.core.pair_work import Parse
from semsim_service.core.received import ReceivedRequest
from semsim_service.core.scoring import ScoringCore
from semsim_service.http.body import read_body
from semsim_service.http.client_presence import presence_of
from semsim_service.http.controls_header import ControlsAsked, read_controls
from semsim_service.http.errors import error_response, refusal
from semsim_service.http.exposition import Scrapes
from semsim_service.http.front_door import SCORING
from semsim_service.http.json_body import claimed_pairs, parse_json
from semsim_service.http.multipart_body import claimed_form_pairs, parse_multipart
from semsim_service.http.openapi import document
from semsim_service.http.peers import source_of
from semsim_service.http.raw_body import check_length, parse_raw, read_shape
from semsim_service.web_page.static_files import StaticFile

logger = logging.getLogger("semsim.service")

JSON = "application/json"
MULTIPART = "multipart/form-data"
RAW = "application/octet-stream"

_Endpoint = Callable[[Request, str], Awaitable[Response]]


class HTTPTransport:
    """The routes. ``core`` is set once the model is loaded and warm.

    Args:
        files: the files of the pages for browsers, by their paths.
    """

    def __init__(self, files: Mapping[str, StaticFile] = MappingProxyType({})) -> None:
        self.core: ScoringCore | None = None
        self.scrapes = Scrapes()
        self._guarded_score = _guarded(self._score)
        self.app = Starlette(
            routes=[
                *(Route(path, self._guarded_score, methods=["POST"]) for path in SCORING),
                Route("/model", _guarded(self._model), methods=["GET"]),
                Route("/docs.json", self._docs, methods=["GET"]),
                Route("/metrics", self._metrics, methods=["GET"]),
                *(Route(path, file.answer, methods=["GET"]) for path, file in files.items()),
            ]
        )

    async def score_app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application of a POST to one of the paths for scores, without the way through the routers.

        While the queue is full, the refusal is made of the head alone.
        """
        response = self._turned_away(scope) or await self._guarded_score(Request(scope, receive))
        await response(scope, receive, send)

    def _turned_away(self, scope: Scope) -> Response | None:
        """The refusal of a request while the queue is full, before anything is made of it; else None."""
        core = self.core
        if core is None or not core.queue_is_full:
            return None
        headers = Headers(scope=scope)
        request_id = accept_request_id(headers.get("x-request-id"))
        error = core.refuse_unread(
            Transport.HTTP,
            request_id,
            authorization=headers.get("authorization"),
            traceparent=headers.get("traceparent"),
            source=lambda: source_of(scope),
        )
        return None if error is None else _answer_to(request_id, refusal(error))

    def _ready(self) -> ScoringCore:
        if self.core is None:
            raise NotReady("expected a model that is loaded and warm, got a service that is still starting")
        return self.core

    async def _score(self, request: Request, request_id: str) -> Response:
        core = self._ready()
        async with _accepted(core, request, request_id) as call:
            parse, claim = await _read(request, core, call)
            answer = core.score_at_once(call, parse, claim)
            if answer is None:
                with presence_of(request.scope):
                    answer = await core.score_in_turn(call, parse, claim)
        return _json(answer, {"server-timing": call.timings.server_timing()})

    async def _model(self, request: Request, request_id: str) -> Response:
        core = self._ready()
        async with _accepted(core, request, request_id):
            return _json(core.model_info(), {})

    async def _docs(self, _: Request) -> Response:
        return Response(document(), media_type=JSON)

    async def _metrics(self, _: Request) -> Response:
        return await self.scrapes.answer()


def _accepted(core: ScoringCore, request: Request, request_id: str) -> AbstractAsyncContextManager[Call]:
    """The core's call for a request, made of the request's headers."""
    headers = request.headers
    return core.request(
        Transport.HTTP,
        request_id=request_id,
        authorization=headers.get("authorization"),
        traceparent=headers.get("traceparent"),
        source=lambda: source_of(request.scope),
    )


async def _read(request: Request, core: ScoringCore, call: Call) -> tuple[Parse, Claim]:
    """Read the body. Returns the function that makes pairs of it, chosen by its content type, and the body's claim."""
    limits = core.limits
    header = request.headers.get("content-type", "")
    content_type = header.partition(";")[0].strip().lower()
    if content_type not in (JSON, MULTIPART, RAW):
        raise UnsupportedMediaType(
            f"expected Content-Type {JSON}, {MULTIPART} or {RAW}, got " + ("none" if not content_type else "another")
        )
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("expected a body without Content-Encoding, got a compressed one")
    asked = read_controls(request.headers)
    controls, histogram = asked is not ControlsAsked.NOTHING, asked is ControlsAsked.HISTOGRAM
    if content_type == RAW:
        shape = read_shape(request.headers, limits)
        announced = request.headers.get("content-length", "")
        if announced.isdecimal():
            check_length(shape, int(announced))
        raw = await read_body(request, limits, call.reserve_bytes)
        return lambda: ReceivedRequest(parse_raw(raw, shape), controls, histogram), Claim(shape.pairs, shape.size // 3)
    body = await read_body(request, limits, call.reserve_bytes)
    if content_type == JSON:
        return lambda: parse_json(body, limits, controls=controls, histogram=histogram), Claim(claimed_pairs(body))
    return (
        lambda: ReceivedRequest(parse_multipart(header, body, limits, call.require_wanted), controls, histogram),
        Claim(claimed_form_pairs(body)),
    )


def _guarded(endpoint: _Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint at the edge of the process: whatever it raises becomes an envelope."""

    async def guarded(request: Request) -> Response:
        request_id = accept_request_id(request.headers.get("x-request-id"))
        try:
            response = await endpoint(request, request_id)
        except RequestError as error:
            response = refusal(error)
        except Exception:
            # The trace goes to the log, never to the client; it holds no request data.
            logger.exception("unexpected error on %s", request.url.path, extra={"request_id": request_id})
            response = error_response(ErrorCode.INTERNAL, "unexpected error; the service's log has the details")
        return _answer_to(request_id, response)

    return guarded


def _answer_to(request_id: str, response: Response) -> Response:
    response.headers["x-request-id"] = request_id
    response.headers["cache-control"] = "no-store"
    return response


def _json(model: BaseModel, headers: dict[str, str]) -> Response:
    return Response(model.model_dump_json(), media_type=JSON, headers=headers)
