"""The page over HTTP: consent, practice, then one image after the other."""

import time
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from semsim.exceptions import InvalidRequest, SemSimError
from semsim_training.annotation.page.annotation_study import PROTOCOL, AnnotationStudy
from semsim_training.annotation.page.annotator_registry import AnnotatorRegistry
from semsim_training.annotation.page.card_queue import CardQueue, StepOutcome
from semsim_training.annotation.page.forms import chosen_class, field, read_form, response_seconds, whole_number
from semsim_training.annotation.page.rendering import image, page
from semsim_training.annotation.page.security import PageGuard
from semsim_training.annotation.page.study_database import StudyDatabase

_COOKIE = "semsim_annotator"
_COOKIE_SECONDS = 90 * 24 * 3600

_NOTICES = {
    StepOutcome.STALE: "That image was dealt with already: nothing was recorded twice. Here is the one you are at.",
    StepOutcome.EXPIRED: "You were away for long, and the image went to somebody else. Your answer was not kept.",
    StepOutcome.NOTHING: "There is no answer to undo.",
    StepOutcome.SETTLED: "Your answer before this one can no longer be changed.",
    "undone": "Undone: this is the image before. Please answer it again.",
    "skipped": "Skipped: you will not see that image again.",
}


def create_app(study: AnnotationStudy, database: StudyDatabase, clock: Callable[[], float] = time.time) -> Starlette:
    """The annotation page of ``study``. Everything that happens is kept in ``database``."""
    site = _AnnotationSite(study, AnnotatorRegistry(database, clock), CardQueue(database, study, clock))
    routes = [
        Route("/", site.start),
        Route("/consent", site.consent),
        Route("/consent", site.enrol, methods=["POST"]),
        Route("/continue", site.go_on, methods=["POST"]),
        Route("/leave", site.leave, methods=["POST"]),
        Route("/practice", site.practice),
        Route("/practice", site.practised, methods=["POST"]),
        Route("/practice/{number:int}.png", site.practice_image),
        Route("/judge", site.judge),
        Route("/judge", site.judged, methods=["POST"]),
        Route("/hold", site.hold, methods=["POST"]),
        Route("/image/{token}.png", site.image),
        Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(PageGuard)],
        exception_handlers={HTTPException: _refused, SemSimError: _refused},
    )


class _AnnotationSite:
    """The handlers of the page."""

    def __init__(self, study: AnnotationStudy, annotators: AnnotatorRegistry, queue: CardQueue) -> None:
        self._study = study
        self._annotators = annotators
        self._queue = queue

    def start(self, request: Request) -> Response:
        """Go to the page where the annotator is."""
        if _COOKIE not in request.cookies:
            return _to("/consent")
        annotator = self._annotator(request)
        return _to("/judge" if self._trained(annotator) else "/practice")

    def consent(self, _: Request) -> Response:
        return page("consent", protocol=PROTOCOL, annotator=None)

    async def enrol(self, request: Request) -> Response:
        if (await read_form(request)).get("consent") != "yes":
            raise InvalidRequest("expected your consent: tick the box, or close the page")
        return _remember(request, await run_in_threadpool(self._annotators.enrol))

    async def go_on(self, request: Request) -> Response:
        typed = (await read_form(request)).get("pseudonym", "")
        annotator = await run_in_threadpool(self._annotators.find, typed)
        if annotator is None:
            raise InvalidRequest(f"expected a pseudonym that was given out here, such as k7mq-x2vd, got {typed[:40]!r}")
        return _remember(request, annotator)

    def leave(self, _: Request) -> Response:
        response = _to("/consent")
        response.delete_cookie(_COOKIE)
        return response

    def practice(self, request: Request) -> Response:
        annotator = self._annotator(request)
        cards, number = self._study.practice(annotator), self._annotators.practised(annotator)
        if number >= len(cards):
            return _to("/judge")
        return page(
            "practice", annotator=annotator, number=number, total=len(cards), classes=self._study.classes(cards[number])
        )

    async def practised(self, request: Request) -> Response:
        form = await read_form(request)
        annotator = await run_in_threadpool(self._annotator, request)
        cards = self._study.practice(annotator)
        number = whole_number(form, "number")
        if not 0 <= number < len(cards):
            raise InvalidRequest(f"expected the number of a practice image below {len(cards)}, got {number}")
        card = cards[number]
        answer = chosen_class(field(form, "choice"), self._study.classes(card))
        if not await run_in_threadpool(self._annotators.practise, annotator, number):
            return _to("/practice")
        last = number + 1 == len(cards)
        return page(
            "feedback", annotator=annotator, number=number, total=len(cards), last=last,
            answer=answer, truth=card.item.truth,
        )  # fmt: skip

    def practice_image(self, request: Request) -> Response:
        annotator = self._annotator(request)
        cards, number = self._study.practice(annotator), request.path_params["number"]
        if number > self._annotators.practised(annotator) or number >= len(cards):
            raise HTTPException(404, "There is no such image.")
        return image(self._study.png(cards[number]))

    def judge(self, request: Request) -> Response:
        annotator = self._annotator(request)
        if not self._trained(annotator):
            return _to("/practice")
        turn, progress = self._queue.current(annotator), self._queue.progress(annotator)
        notice = _NOTICES.get(request.query_params.get("notice", ""), "")
        if turn is None:
            return page("finished", annotator=annotator, progress=progress, notice=notice)
        return page(
            "judge", annotator=annotator, progress=progress, notice=notice, token=turn.token, classes=turn.classes,
            new_classes=turn.new_classes, lease=self._study.settings.lease_seconds,
        )  # fmt: skip

    async def judged(self, request: Request) -> Response:
        form = await read_form(request)
        annotator = await run_in_threadpool(self._annotator, request)
        token, choice = field(form, "token"), field(form, "choice")
        if choice in ("undo", "skip"):
            step = self._queue.undo if choice == "undo" else self._queue.skip
            outcome = await run_in_threadpool(step, annotator, token)
            done = {"undo": "undone", "skip": "skipped"}[choice]
            return _to(f"/judge?notice={done if outcome is StepOutcome.DONE else outcome}")
        classes = {name for one in self._study.sets.values() for name in one.classes}
        answer = chosen_class(choice, classes)
        outcome = await run_in_threadpool(self._queue.judge, annotator, token, answer, response_seconds(form))
        return _to("/judge" if outcome is StepOutcome.DONE else f"/judge?notice={outcome}")

    async def hold(self, request: Request) -> Response:
        form = await read_form(request)
        annotator = await run_in_threadpool(self._annotator, request)
        outcome = await run_in_threadpool(self._queue.hold, annotator, field(form, "token"))
        return JSONResponse({"held": outcome is StepOutcome.DONE}, 200 if outcome is StepOutcome.DONE else 409)

    def image(self, request: Request) -> Response:
        card = self._queue.shown(self._annotator(request), request.path_params["token"])
        if card is None:
            raise HTTPException(404, "There is no such image, or it is not yours to see now.")
        return image(self._study.png(card))

    def _trained(self, annotator: str) -> bool:
        return self._annotators.practised(annotator) >= len(self._study.practice(annotator))

    def _annotator(self, request: Request) -> str:
        """The pseudonym of the annotator who asks.

        Raises:
            HTTPException: 403, the study does not know the annotator.
        """
        pseudonym = self._annotators.find(request.cookies.get(_COOKIE, ""))
        if pseudonym is None:
            raise HTTPException(403, "This browser holds no pseudonym that this study knows.")
        return pseudonym


def _to(path: str) -> Response:
    return RedirectResponse(path, status_code=303)


def _remember(request: Request, annotator: str) -> Response:
    response = _to("/")
    response.set_cookie(
        _COOKIE, annotator, max_age=_COOKIE_SECONDS, httponly=True, samesite="strict",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return response


def _refused(_: Request, error: Exception) -> HTMLResponse:
    status = error.status_code if isinstance(error, HTTPException) else 400
    message = error.detail if isinstance(error, HTTPException) else str(error)
    return page("refused", status, annotator=None, message=message)
