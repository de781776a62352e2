"""Threads that take the work of requests, first come, first served, and that do not keep the process from ending."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

_Result = TypeVar("_Result")

_STUCK_SECONDS = 5.0
"""Work ends within milliseconds of its deadline. What goes on for so long after it is stuck."""


class Lane:
    """Threads over one queue. They start with the first work, at the priority that the caller has then.

    Args:
        name: the threads' name.
        threads: their number.
    """

    def __init__(self, name: str, threads: int) -> None:
        self._queue: SimpleQueue[tuple[Future[Any], list[Callable[[], Any]], float] | None] = SimpleQueue()
        self._deadlines: list[float | None] = [None] * threads
        self._threads: list[threading.Thread] = []
        self._name = name

    def run(self, work: Callable[[], _Result], deadline: float) -> "asyncio.Future[_Result]":
        """The result of ``work``, done in a thread. It is not begun where the caller is cancelled before.

        Args:
            work: the function. It is expected to end by itself soon after ``deadline``.
            deadline: seconds of ``time.monotonic``.
        """
        if not self._threads:
            self._start()
        future: Future[_Result] = Future()
        kept: list[Callable[[], Any]] = [work]
        future.add_done_callback(lambda _: kept.clear())  # what is cancelled stays in the queue, without its request
        self._queue.put((future, kept, deadline))
        return asyncio.wrap_future(future)  # no coroutine, whose frame an error would hold, and the frame the future

    @property
    def busy(self) -> int:
        """The number of threads at work."""
        return sum(deadline is not None for deadline in self._deadlines)

    @property
    def is_stuck(self) -> bool:
        """True where every thread is at work that should have ended seconds ago."""
        late = time.monotonic() - _STUCK_SECONDS
        return all(deadline is not None and deadline < late for deadline in self._deadlines)

    def close(self, seconds: float) -> bool:
        """End the threads. Returns False where some work has not ended within so many seconds: nobody waits for it."""
        for _ in self._threads:
            self._queue.put(None)
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _start(self) -> None:
        for index in range(len(self._deadlines)):
            thread = threading.Thread(target=self._work, args=(index,), name=self._name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self, index: int) -> None:
        while (task := self._queue.get()) is not None:
            self._do(index, *task)
            del task  # it holds the request

    def _do(self, index: int, future: Future[_Result], kept: list[Callable[[], _Result]], deadline: float) -> None:
        if not future.set_running_or_notify_cancel():
            return
        self._deadlines[index] = deadline
        try:
            result = kept[0]()
        except BaseException as error:  # noqa: BLE001  # whoever asked gets it
            self._deadlines[index] = None  # first: who has the answer finds the thread free
            future.set_exception(error)
            del future  # the error holds this frame, which would hold it
        else:
            self._deadlines[index] = None
            future.set_result(result)
