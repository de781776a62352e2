"""The worker's side of the process that scores little requests in groups.

Whatever becomes of that process, each request is scored: those that it has, and those that come while there is none,
are scored in the worker. The process is started again where it ends, and killed where it says nothing for long.
"""

import asyncio
import logging
import pickle
import subprocess
import time
from collections import deque
from contextlib import suppress
from typing import cast

from semsim_service.core.child_process import exit_status, start_child
from semsim_service.core.group_scoring import GroupScoring
from semsim_service.core.little_request import LittleRequest
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.core.scoring_messages import LENGTH, Answer, Model, message

logger = logging.getLogger("semsim.service")

_BATCHES_AHEAD = 12
"""The batches of images that the process has: three of its largest groups. More of them wait here, where a caller that
gives up leaves the queue."""
_SILENT_SECONDS = 10.0
"""A group takes milliseconds. A process that has one and says nothing for so long hangs."""
_START_SECONDS = 60.0
"""The seconds in which a process must be ready."""
_FIRST_DELAY, _LONGEST_DELAY = 1.0, 60.0
"""The seconds from the end of a process to the start of the next. They double each time, until one has answered."""
_END_SECONDS = 1.0


class RemoteScoring(asyncio.Protocol):
    """Scores little requests in a process of their own. All but :meth:`close` belongs to one event loop.

    Args:
        model: the model.
        here: scores requests in this process.
        metrics: where the runs of the network, and the ends of the process, are counted.
    """

    def __init__(self, model: Model, here: GroupScoring, metrics: ServiceMetrics) -> None:
        self._model = model
        self._here = here
        self._metrics = metrics
        self._most_images = _BATCHES_AHEAD * model.batch_size
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self.is_ready = False
        """True where the process takes requests."""
        self._waiting: deque[LittleRequest] = deque()
        self._waiting_images = 0
        self._asked: dict[int, LittleRequest] = {}
        """The requests that the process has, by their numbers."""
        self._images = 0
        """The images of these."""
        self._count = 0
        self._will_send = False
        self._heard = 0.0
        """The time when the process began, last answered, or was asked after it had nothing to do."""
        self._delay = _FIRST_DELAY
        self._closed = False

    async def start(self) -> None:
        """Start the process, and connect to it. It takes requests once its model is warm."""
        if self._closed:
            return
        try:
            self._process, ours = start_child("semsim_service.core.scoring_process")
            await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=ours)
        except OSError as error:  # no memory or no descriptor is left
            logger.error("no scoring process can start (%s): the worker scores until one runs", error.strerror)
            self._start_later()

    def take(self, request: LittleRequest) -> None:
        """Score a request, together with others that wait, unless it is abandoned before."""
        if not self.is_ready:
            self._here.take([request])
            return
        self._waiting.append(request)
        self._waiting_images += request.images
        self._send_soon()

    def look(self) -> None:
        """Kill the process where it hangs. What it has is scored here then."""
        limit = _SILENT_SECONDS if self.is_ready else _START_SECONDS
        is_due = self._transport is not None and (bool(self._asked) or not self.is_ready)
        if is_due and self._process is not None and time.monotonic() - self._heard > limit:
            logger.error("the scoring process said nothing for %g s, and is killed", limit)
            self._process.kill()

    def close(self) -> None:
        """End the process for good. Nobody should wait for an answer. Any thread may call this."""
        self._closed = True
        if (process := self._process) is not None:
            _end(process)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the model."""
        self._heard = time.monotonic()
        self._transport = cast("asyncio.Transport", transport)  # uvloop has a class of its own
        self._transport.write(message(self._model))

    def data_received(self, data: bytes) -> None:
        """Read the answers that are complete."""
        received = self._received
        received += data
        while len(received) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(received)[0]
            if len(received) < end:
                return
            # That process decodes no pictures: nothing that a caller sends can take it over.
            answer: Answer = pickle.loads(bytes(received[LENGTH.size : end]))  # noqa: S301
            del received[:end]
            self._settle(answer)

    def connection_lost(self, _: Exception | None) -> None:
        """Score here what the process had, and start another after a while."""
        self.is_ready, self._transport = False, None
        self._received.clear()
        requests = [*self._asked.values(), *self._waiting]
        self._asked.clear()
        self._waiting.clear()
        self._images = self._waiting_images = 0
        self._here.take(requests)
        self._start_later()

    def _start_later(self) -> None:
        if not self._closed:
            asyncio.get_running_loop().call_later(self._delay, self._start_again)
            self._delay = min(2 * self._delay, _LONGEST_DELAY)

    def _start_again(self) -> None:
        if self._closed:
            return
        if (process := self._process) is not None:
            self._process, code = None, _end(process)
            self._metrics.scoring_process_ends.inc()
            status = exit_status(code)
            logger.error("the scoring process ended (exit status %s): the worker scores until another one runs", status)
        self._starting = asyncio.ensure_future(self.start())

    def _send_soon(self) -> None:
        """Send what waits at the end of this round of the event loop: what came in one round goes as one message.

        While the process is at work, less than a group only interrupts it.
        """
        if not self._will_send and self._waiting_images >= min(max(1, self._images), self._model.batch_size):
            self._will_send = True
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        self._will_send = False
        questions = []
        while self._waiting and self._images < self._most_images:
            request = self._waiting.popleft()
            self._waiting_images -= request.images
            if request.abandoned:
                continue
            if not self._asked:
                self._heard = time.monotonic()
            self._count += 1
            self._asked[self._count] = request
            self._images += request.images
            questions.append(
                (self._count, request.originals, request.reconstructions, request.controls, request.histogram)
            )
        if questions and self._transport is not None:
            self._transport.write(message(questions))

    def _settle(self, answer: Answer) -> None:
        """Give the requests of an answer their scores, and wake their callers."""
        self._heard = time.monotonic()
        self.is_ready = True
        answer.runs.tell(self._metrics)
        for scored in answer.scored:
            self._delay = _FIRST_DELAY
            request = self._asked.pop(scored.number)
            self._images -= request.images
            if scored.scores is None:
                self._here.take([request])
                continue
            request.scores, request.began = scored.scores, scored.began
            request.prepare_seconds, request.inference_seconds = scored.prepare_seconds, scored.inference_seconds
            if request.future is not None and not request.future.done():
                request.future.set_result(None)
        self._send_soon()


def _end(process: "subprocess.Popen[bytes]") -> int | None:
    """Kill a process, where it has not ended yet. Returns its exit status; None where the system does not end it."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(0)
    process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_END_SECONDS)
    return process.returncode
