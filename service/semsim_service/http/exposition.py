"""``GET /metrics``: the numbers of all workers together, whichever worker answers."""

import os
from contextlib import suppress
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

# BentoML sets it for its workers; prometheus_client then keeps each one's numbers in files there.
_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"


async def metrics(_: Request) -> Response:
    """The endpoint. It reads files, and does so in a thread: no request waits for a scrape."""
    text = await run_in_threadpool(exposition, os.environ.get(_DIRECTORY))
    return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})


def exposition(directory: str | None) -> bytes:
    """The numbers of all processes that write to ``directory``, or of this process, in Prometheus' format."""
    if directory is None:
        return generate_latest(REGISTRY)
    forget_dead_workers(Path(directory))
    registry = CollectorRegistry()
    registry.register(_Sorted(MultiProcessCollector(None, directory)))  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def forget_dead_workers(directory: Path) -> None:
    """Drop the gauges of workers that were killed: nothing is in their queues any more. Their counters stay."""
    workers = {path.stem.rpartition("_")[2] for path in directory.glob("gauge_live*_*.db")}
    for worker in workers:
        if worker.isdecimal() and not _is_alive(int(worker)):
            with suppress(FileNotFoundError):  # another scrape, at the same time, was faster
                mark_process_dead(int(worker), str(directory))  # type: ignore[no-untyped-call]


class _Sorted:
    """Puts a histogram's buckets before its count and sum, as the format asks; the collector puts them behind."""

    def __init__(self, collector: MultiProcessCollector) -> None:
        self._collector = collector

    def collect(self) -> list[Metric]:
        """The metrics of all workers."""
        metrics = list(self._collector.collect())  # type: ignore[no-untyped-call]
        for metric in metrics:
            if metric.type == "histogram":
                metric.samples.sort(key=lambda sample: not sample.name.endswith("_bucket"))
        return metrics


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:  # a killed process answers to its number until its parent has noticed
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return True
