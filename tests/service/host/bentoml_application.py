"""BentoML's application as it is, and as this service has it: what many requests leave behind in each.

A program of its own, because what it shows stays for as long as its process: prints JSON.
"""

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

REQUESTS = 50


def application(**options: Any) -> Any:
    """BentoML's application around an endpoint that answers any path."""
    import bentoml
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    @bentoml.service(**options)
    @bentoml.asgi_app(Starlette(routes=[Route("/{path:path}", lambda _: Response("answered"))]))
    class Answering:
        pass

    return Answering.to_asgi()


async def ask(app: Any) -> int:
    """Send requests, each for another path. Returns the number of timers that are left when all are answered."""
    loop: Any = asyncio.get_running_loop()
    answers: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        answers.append(message.get("body"))

    for number in range(REQUESTS):
        path = f"/path-{number}"
        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
        address = {"root_path": "", "scheme": "http", "server": ("127.0.0.1", 3000), "client": ("127.0.0.1", 1)}
        await app({**scope, **address, "headers": [(b"host", b"127.0.0.1:3000")], "http_version": "1.1"}, receive, send)
    assert answers.count(b"answered") == REQUESTS
    return sum(not timer.cancelled() for timer in loop._scheduled)


def observe(app: Any) -> dict[str, Any]:
    """The traces that requests leave behind in an application."""
    from prometheus_client import REGISTRY, generate_latest

    return {
        "timers": asyncio.run(ask(app)),
        "series": generate_latest(REGISTRY).decode().count('endpoint="/path-'),
        "sdk": "opentelemetry.sdk" in sys.modules,
        "middlewares": [middleware.cls.__name__ for middleware in app.user_middleware],
    }


def wiped(directory: Path) -> bool:
    """True where the start of a server empties the metrics of its home."""
    from bentoml.serving import ensure_prometheus_dir

    directory.mkdir()
    (directory / "counter_1.db").touch()
    ensure_prometheus_dir(str(directory))
    left = list(directory.iterdir())
    shutil.rmtree(directory)
    return not left


def main(home: Path) -> dict[str, Any]:
    """The traces in BentoML without its middlewares, with this service's settings alone, and as it is."""
    from _bentoml_impl.server.app import ServiceAppFactory

    from semsim_service.host import bentoml_faults

    original = ServiceAppFactory.middlewares
    assert bentoml_faults.drop_middlewares()
    ours = observe(application(**bentoml_faults.QUIET))
    limited = application(**bentoml_faults.QUIET, traffic={"max_concurrency": 3})
    ServiceAppFactory.middlewares = original
    return {
        "ours": ours,
        "limited": [middleware.cls.__name__ for middleware in limited.user_middleware],
        "quiet": observe(application(**bentoml_faults.QUIET)),
        "plain": observe(application()),
        "wiped": wiped(home / "metrics"),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
