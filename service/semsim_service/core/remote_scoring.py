"""The worker's side of the process that scores little requests in groups.

Whatever becomes of that process, each request is scored: those that it has, and those that come while there is none,
are scored in the worker. The process is started again where it ends, and killed where it says nothing for long. It
takes requests once it has given known pairs the scores that they have in the worker.
"""

import asyncio
import logging
import math
import pickle
import socket
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import astuple
from typing import cast

from semsim.scorer import PairScore
from semsim_service.core.child_process import exit_status, start_child
from semsim_service.core.group_scoring import GroupScoring
from semsim_service.core.little_request import LittleRequest
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.core.scoring_messages import LENGTH, TRIAL, Answer, Model, Question, message

logger = logging.getLogger("semsim.service")

_BATCHES_AHEAD = 12
"""The batches of images that the process has: three of its largest groups. More of them wait here, where a caller that
gives up leaves the queue."""
_SILENT_SECONDS = 10.0
"""A group takes milliseconds. A process that has one and says nothing for so long hangs."""
_LOST_SECONDS = 20.0
"""The process answers in turn. One that has a request for so long has lost it, whatever else it says."""
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
        self._trial = LittleRequest([], [], controls=False, histogram=False)
        self._here = here
        self._metrics = metrics
        self._most_images = _BATCHES_AHEAD * model.batch_size
        # A process has the priority of the thread that starts it. This one keeps that of the first start.
        self._starter = ThreadPoolExecutor(1, "scoring process")
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self.is_ready = False
        """True where the process takes requests."""
        self._waiting: deque[LittleRequest] = deque()
        self._waiting_images = 0
        self._asked: dict[int, LittleRequest] = {}
        """The requests that the process has, by their numbers, in the order in which they were sent."""
        self._images = 0
        """The images of these."""
        self._count = 0
        self._will_send = False
        self._heard = 0.0
        """The time when the process began, last answered, or was asked after it had nothing to do."""
        self._was_killed = False
        self._differs = False
        """True where a process had other scores for the trial. No other one is started then."""
        self._delay = _FIRST_DELAY
        self._closed = False

    async def start(self, trial: LittleRequest) -> None:
        """Start the process. It takes requests once it gives the pairs of ``trial`` the scores that they have here."""
        self._trial = trial
        await self._start()

    async def _start(self) -> None:
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        try:
            ours = await loop.run_in_executor(self._starter, self._start_process)
            if ours is not None:
                await loop.create_unix_connection(lambda: self, sock=ours)
        except Exception as error:  # noqa: BLE001  # no memory or no descriptor is left
            if self._closed:
                return
            reason = getattr(error, "strerror", None) or type(error).__name__
            logger.error("no scoring process can start (%s): the worker scores until one runs", reason)
            self._start_later()

    def _start_process(self) -> socket.socket | None:
        """End the process before, start one if there is to be one, and return the socket to it."""
        if (before := self._process) is not None:
            was_killed = self._was_killed or before.poll() is None
            self._process, code = None, _end(before)
            self._metrics.scoring_process_ends.inc()
            how = "killed by its worker" if was_killed else f"exit status {exit_status(code)}"
            then = "alone until it is started again" if self._differs else "until another one runs"
            logger.error("the scoring process ended (%s): the worker scores %s", how, then)
        if self._differs:
            return None
        self._was_killed = False
        self._process, ours = start_child("semsim_service.core.scoring_process")
        if self._closed:  # meanwhile
            _end(self._process)
        return ours

    def take(self, request: LittleRequest) -> None:
        """Score a request, together with others that wait, unless it is abandoned before."""
        if not self.is_ready:
            self._here.take([request])
            return
        self._waiting.append(request)
        self._waiting_images += request.images
        self._send_soon()

    def forget(self, request: LittleRequest) -> None:
        """Let go of a request that is abandoned, if it still waits here."""
        with suppress(ValueError):
            self._waiting.remove(request)
            self._waiting_images -= request.images

    def look(self) -> None:
        """Kill the process where it hangs. What it has is scored here then."""
        if self._transport is None:
            return
        now = time.monotonic()
        silent = now - self._heard
        if not self.is_ready and silent > _START_SECONDS:
            self._kill(f"was not ready within {_START_SECONDS:g} s")
        elif self._asked and silent > _SILENT_SECONDS:
            self._kill(f"said nothing for {_SILENT_SECONDS:g} s")
        elif self._asked and now - next(iter(self._asked.values())).sent > _LOST_SECONDS:
            self._kill(f"did not answer a request within {_LOST_SECONDS:g} s")

    def _kill(self, reason: str) -> None:
        """Kill the process, and wait for nothing that it may still say: the system may take long to end it."""
        if self._was_killed:
            return
        logger.error("the scoring process %s, and is killed", reason)
        self._was_killed, self.is_ready = True, False
        if self._process is not None:
            self._process.kill()
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the process for good. Nobody should wait for an answer. Any thread may call this."""
        self._closed = True
        self._starter.shutdown(wait=False)
        if (process := self._process) is not None:
            _end(process)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the model and the trial."""
        self._heard = time.monotonic()
        self._transport = cast("asyncio.Transport", transport)  # uvloop has a class of its own
        self._transport.write(message(self._model))
        self._transport.write(message([_question(TRIAL, self._trial)]))

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
            if self.is_ready:
                self._settle(answer)
            else:
                self._try(answer)

    def connection_lost(self, _: Exception | None) -> None:
        """Score here what the process had, and start another after a while."""
        self.is_ready, self._transport = False, None
        self._received.clear()
        requests = [one for one in (*self._asked.values(), *self._waiting) if not one.abandoned]
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
        self._starting = asyncio.ensure_future(self._start())

    def _try(self, answer: Answer) -> None:
        """Use the process if its first answer has the scores of the trial."""
        (scored,) = answer.scored
        self._heard = time.monotonic()
        if scored.scores is None:
            self._kill("could not score a known pair")
        elif _scores_agree(scored.scores, self._trial.scores):
            self.is_ready = True
        else:
            self._differs = True
            self._kill("gave a known pair other scores than the worker, perhaps those of another version")

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
            request.sent = time.monotonic()
            questions.append(_question(self._count, request))
        if questions and self._transport is not None:
            try:
                self._transport.write(message(questions))
            except Exception:  # noqa: BLE001  # no memory is left
                self._kill("could not be asked")

    def _settle(self, answer: Answer) -> None:
        """Give the requests of an answer their scores, and wake their callers."""
        self._heard = time.monotonic()
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


def _question(number: int, request: LittleRequest) -> Question:
    return number, request.originals, request.reconstructions, request.controls, request.histogram


def _scores_agree(some: Sequence[PairScore], others: Sequence[PairScore]) -> bool:
    """True where the scores of the same pairs differ by no more than those of two runs of a network do."""
    return len(some) == len(others) and all(
        math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-5)
        if isinstance(one, float) and isinstance(other, float)
        else one == other
        for each, its in zip(some, others, strict=True)
        for one, other in zip(astuple(each), astuple(its), strict=True)
    )


def _end(process: "subprocess.Popen[bytes]") -> int | None:
    """Kill a process, where it has not ended yet. Returns its exit status; None where the system does not end it."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(0)
    process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_END_SECONDS)
    return process.returncode
