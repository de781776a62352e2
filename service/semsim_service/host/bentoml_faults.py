"""Takes out of BentoML what it does to every request and this service has no use for, where its source is known.

Its middlewares cost more than the rest of the framework together. For each request they write a mapped file five times,
for metrics whose `endpoint` label is any path that a client thinks of; make a span that nobody exports; and write an
access log. Its timeout never cancels its timer, and so keeps each finished request in memory for `traffic.timeout`
seconds: these pile up until the garbage collector stops the event loop for hundreds of milliseconds.
"""

import ast
import inspect
import logging
import textwrap
from typing import Any

import bentoml
from starlette.middleware import Middleware

logger = logging.getLogger("semsim.service")

# The versions whose source was read. A later one may have other middlewares, and stays as it is.
_FIRST, _END = (1, 4, 39), (1, 5, 0)
_UNUSED = frozenset(
    {
        "TimeoutMiddleware",  # the core's own deadline covers all that takes time, and answers in the one envelope
        "OpenTelemetryMiddleware",  # semsim_service.observing.tracing makes the spans
        "RunnerTrafficMetricsMiddleware",  # semsim_service.core.metrics has what it counts, with fixed labels
        "AccessLogMiddleware",  # semsim_service.observing.logs has a line a request, for those who want it
        "ContextMiddleware",  # serves BentoML's own endpoints, of which this service has none
    }
)

# BentoML's own settings turn off a part of it, in unknown versions too.
QUIET: dict[str, Any] = {
    "metrics": {"enabled": False},
    # The access log also decodes the client's Content-Type, and cuts the answer off where that is not UTF-8.
    "logging": {"access": {"enabled": False}},
    "tracing": {"excluded_urls": ".*"},
}


def drop_middlewares() -> bool:
    """Make BentoML build its application without the unused middlewares. Returns True if that was done.

    A BentoML of an unknown version, or with a mended timeout, is left as it is, with a line in the log. Its service is
    slower, and right.
    """
    from _bentoml_impl.server.app import ServiceAppFactory  # type: ignore[import-untyped]
    from bentoml._internal.server.http.traffic import TimeoutMiddleware

    built = ServiceAppFactory.__dict__.get("middlewares")
    known = _FIRST <= _version(bentoml.__version__) < _END and isinstance(built, property)
    if not known or not discards_timer(TimeoutMiddleware):
        logger.warning("BentoML %s is not one whose middlewares are known: they stay", bentoml.__version__)
        return False
    original = built.fget

    def middlewares(self: Any) -> list[Middleware]:
        if self.max_concurrency or self.enable_access_control:  # asked for in BentoML's own configuration
            return [middleware for middleware in original(self) if _name(middleware) not in _UNUSED]
        # BentoML's own function is not called: it would import OpenTelemetry's SDK for half a second.
        return [Middleware(cls, **options) for cls, options in self.service.middlewares]

    ServiceAppFactory.middlewares = property(middlewares)
    return True


def discards_timer(middleware: type) -> bool:
    """True where a class arms a timer, ``call_later(...)``, and keeps nothing to cancel it with."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(middleware)))
    statements = (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))
    calls = (value.func for value in statements if isinstance(value, ast.Call))
    return any(isinstance(function, ast.Attribute) and function.attr == "call_later" for function in calls)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:3] if part.isdecimal())


def _name(middleware: Middleware) -> str:
    return str(getattr(middleware.cls, "__name__", ""))
