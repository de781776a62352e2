"""``GET /metrics``: the numbers of all workers together, whichever worker answers."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

# BentoML sets it for its workers; prometheus_client then keeps each one's numbers in files there.
_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
_SCRAPES_AT_ONCE = 10.0


class Scrapes:
    """The answers of the endpoint. Making one reads files, in a thread: no request waits for a scrape.

    Anybody may ask. After a few scrapes at once there is one new text a second, and the last one in between.
    """

    def __init__(self) -> None:
        self.collectors: list[Collector] = []
        """The collectors of what is shown beside the workers' own numbers."""
        self._reading = asyncio.Lock()
        self._text = b""
        self._tokens, self._refilled = _SCRAPES_AT_ONCE, time.monotonic()

    async def answer(self) -> Response:
        """The numbers, in Prometheus' format."""
        async with self._reading:
            now = time.monotonic()
            self._tokens = min(_SCRAPES_AT_ONCE, self._tokens + now - self._refilled)
            self._refilled = now
            if self._tokens >= 1 or not self._text:
                self._tokens -= 1
                self._text = await run_in_threadpool(exposition, os.environ.get(_DIRECTORY), self.collectors)
        return Response(self._text, headers={"content-type": CONTENT_TYPE_LATEST})


def exposition(directory: str | None, collectors: Sequence[Collector] = ()) -> bytes:
    """The numbers of all processes that write to ``directory``, or of this process, in Prometheus' format.

    ``collectors`` show more beside those of ``directory``.
    """
    if directory is None:
        return generate_latest(REGISTRY)
    forget_dead_workers(Path(directory))
    registry = CollectorRegistry()
    registry.register(_Sorted(MultiProcessCollector(None, directory)))  # type: ignore[no-untyped-call]
    for collector in collectors:
        registry.register(collector)
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
