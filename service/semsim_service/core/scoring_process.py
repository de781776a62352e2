"""The worker's side of the process that scores little requests in groups.

Whatever becomes of that process, each request is scored: those that it has, and those that come while there is none,
are scored in this one. It is started again where it ends, and killed where it says nothing for long.
"""

import asyncio
import logging
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import cast

from semsim_service.core.child_environment import child_environment
from semsim_service.core.group_messages import LENGTH, Answer, Model, message
from semsim_service.core.group_scoring import GroupScoring
from semsim_service.core.little_request import LittleRequest, wake_callers
from semsim_service.core.metrics import ServiceMetrics

logger = logging.getLogger("semsim.service")

_BATCHES_AHEAD = 12
"""The batches of images that the process has: one at the network, two prepared, and one that waits."""
_SILENT_SECONDS = 10.0
"""A group takes milliseconds. A process that has some and says nothing for so long hangs."""
_FIRST_DELAY, _LONGEST_DELAY = 1.0, 60.0
"""The seconds between the end of a process and the start of the next, which double from end to end."""


class ScoringProcess(asyncio.Protocol):
    """Scores little requests in another process. All but :meth:`close` belongs to one event loop.

    Args:
        model: the model.
        here: scores requests in this process.
        metrics: where runs of the network, and ends of the process, are counted.
    """

    def __init__(self, model: Model, here: GroupScoring, metrics: ServiceMetrics) -> None:
        self._model = model
        self._here = here
        self._metrics = metrics
        self._most_images = _BATCHES_AHEAD * model.batch_size
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._is_ready = False
        self._waiting: deque[LittleRequest] = deque()
        self._asked: dict[int, LittleRequest] = {}
        """The requests that the process has, by their numbers."""
        self._images = 0
        """The images of these."""
        self._count = 0
        self._sends = False
        """True where what waits is sent in this round of the event loop."""
        self._heard = 0.0
        """The time when the process last said something, or got its first request after it had none."""
        self._delay = _FIRST_DELAY
        self._closed = False

    async def start(self) -> None:
        """Start the process, and connect to it. It takes requests once its model is warm."""
        if self._closed:
            return
        ours, theirs = socket.socketpair()
        with theirs:
            # A session of its own, as a decoder of pictures has: it ends when the worker does, at the closed socket.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "semsim_service.core.group_process"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                env=child_environment(),
            )
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=ours)

    def take(self, request: LittleRequest) -> None:
        """Score a request, together with others that wait, unless it is abandoned before."""
        if not self._is_ready:
            self._here.take([request])
            return
        self._waiting.append(request)
        self._send_soon()

    def look(self) -> None:
        """Kill the process if it hangs. The requests that it has are scored here then."""
        process = self._process
        if process is not None and self._asked and time.monotonic() - self._heard > _SILENT_SECONDS:
            logger.error("the scoring process said nothing for %g s, and is killed", _SILENT_SECONDS)
            process.kill()

    def close(self) -> None:
        """End the process for good. Nobody should wait for an answer. Any thread may call this."""
        self._closed = True
        if (process := self._process) is not None:
            process.kill()
            process.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the model."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are of another class
        self._transport.write(message(self._model))

    def data_received(self, data: bytes) -> None:
        """Read the answers that are complete."""
        received = self._received
        received += data
        while len(received) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(received)[0]
            if len(received) < end:
                return
            answer: Answer = pickle.loads(memoryview(received)[LENGTH.size : end])  # noqa: S301  # no picture's decoder
            del received[:end]
            self._settle(answer)

    def connection_lost(self, _: Exception | None) -> None:
        """Score here what the process had, and start another."""
        self._is_ready, self._transport = False, None
        self._received.clear()
        requests = [*self._asked.values(), *self._waiting]
        self._asked.clear()
        self._waiting.clear()
        self._images = 0
        if requests:
            self._here.take(requests)
        if not self._closed:
            asyncio.get_running_loop().call_later(self._delay, self._start_again)
            self._delay = min(2 * self._delay, _LONGEST_DELAY)

    def _start_again(self) -> None:
        process = self._process
        if self._closed or process is None:
            return
        process.kill()  # where it lives without its socket
        code = process.wait()
        self._metrics.scoring_process_ends.inc()
        status = f"{code}, as the kernel ends one for want of memory" if code == -signal.SIGKILL else code
        logger.error("the scoring process ended (exit status %s); the worker scored meanwhile, and starts another", status)
        self._starting = asyncio.ensure_future(self.start())

    def _send_soon(self) -> None:
        """Send what waits at the end of this round of the event loop: what comes in one round goes as one message."""
        if not self._sends:
            self._sends = True
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        self._sends = False
        questions = []
        while self._waiting and self._images < self._most_images:
            request = self._waiting.popleft()
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
        if not self._is_ready:
            self._is_ready = True
        answer.runs.tell(self._metrics)
        done, failed = [], []
        for scored in answer.scored:
            request = self._asked.pop(scored.number)
            self._images -= request.images
            if scored.scores is None:
                failed.append(request)
                continue
            request.scores, request.began = scored.scores, scored.began
            request.prepare_seconds, request.inference_seconds = scored.prepare_seconds, scored.inference_seconds
            done.append(request)
        if failed:
            self._here.take(failed)
        if done:
            _wake_here(done)
        if self._waiting:
            self._send_soon()


def _wake_here(requests: Sequence[LittleRequest]) -> None:
    """Let the callers of scored requests go on."""
    for request in requests:
        if request.future is not None and not request.future.done():
            request.future.set_result(None)
