"""Lets circus, with which BentoML starts its workers, replace a dead worker at once and tell of its death.

By itself circus looks every ten seconds, replaces a dead worker without a word, and goes on for ever where none can
start. Its control port would let everybody on the machine run commands as this user.
"""

import ctypes
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from semsim_service.host.supervised import VARIABLE
from semsim_service.host.worker_places import offer_places
from semsim_service.host.worker_watch import WorkerWatch

_LOOK_SECONDS = 0.5
_SET_CHILD_SUBREAPER = 36
"""The number of this wish in Linux' ``prctl``."""
_BENTOML_WORKER = "_bentoml_impl.worker.service"
_ENTRY = "semsim_service.host.worker_entry"


def watching(
    arbiter: Any, grace: float, workers: int = 1, address: Callable[[], str] = lambda: "", *, spare: bool = False
) -> Any:
    """The class of an arbiter that watches its workers as this module says. Its workers know this process.

    Args:
        arbiter: circus' class, or BentoML's form of it.
        grace: the seconds that a worker has to stop, before it is killed.
        workers: the number of workers after which the log says that the service is ready.
        address: gives the addresses of the service for that line.
        spare: one worker more is started, which waits until a place is free (see ``worker_places``).
    """
    if spare:
        offer_places(workers)
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_inheritable(writable, True)
    os.environ[VARIABLE] = f"{os.getpid()}:{writable}"
    # The processes of a worker that is killed become this one's children, and their processor time with them.
    with suppress(AttributeError):  # only Linux has it
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1)
    parts = {"_grace": grace, "_ready": readable, "_told": (workers, address), "_spare": spare}
    return type("WatchingArbiter", (ArbiterWatch, arbiter), parts)


class ArbiterWatch:
    """The part of an arbiter that watches the workers. The other part is circus' own, in BentoML's form."""

    _grace: float
    _ready: int
    _told: tuple[int, Callable[[], str]]
    _spare: bool
    # These are the arbiter's.
    _exclusive_running_command: str | None
    _stopping: bool
    iter_watchers: Any
    stop: Any

    def __init__(self, watchers: list[Any], *arguments: Any, **options: Any) -> None:
        options["check_delay"] = _LOOK_SECONDS
        if not options.get("plugins"):  # `bentoml serve --reload` has one, in a process of its own
            options |= {"endpoint": "inproc://control", "pubsub_endpoint": "inproc://events"}
        for watcher in watchers:
            watcher.respawn = True  # with BENTOML_CONTAINERIZED BentoML would leave a dead worker unreplaced
            watcher.graceful_timeout = self._grace
            watcher.stop_children = False  # a worker that stops still needs the processes that it has
            watcher.send_hup = True  # SIGHUP goes on to the workers, which read their token and certificates again
            watcher.numprocesses += self._spare
            if watcher.args[:2] == ["-m", _BENTOML_WORKER]:
                watcher.args = ["-m", _ENTRY, *watcher.args[1:]]
            watcher.spawn_process = _holding_sighup(watcher.spawn_process)
        super().__init__(watchers, *arguments, **options)  # type: ignore[call-arg]
        directory = next((watcher.env.get("PROMETHEUS_MULTIPROC_DIR") for watcher in watchers), None)
        self._watch = WorkerWatch(None if directory is None else Path(directory), self._ready, *self._told)

    def manage_watchers(self) -> Any:
        """Look at the workers, and replace those that died. Circus calls it twice a second."""
        if self._exclusive_running_command is not None or self._stopping:
            return None  # the next look is soon
        self.reap_processes()
        if self._watch.exit_code is not None:
            self._exception = SystemExit(self._watch.exit_code)
            return self.stop()
        return None if time.monotonic() < self._watch.resume else super().manage_watchers()  # type: ignore[misc]

    def reap_processes(self) -> None:
        """Take the status of each process that is gone, whether or not circus has noticed its end before."""
        self._watch.hear()
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not process:
                return
            watcher = next((each for each in self.iter_watchers() if process in each.processes), None)
            if watcher is not None:
                worker = watcher.processes[process]
                asked = worker.stopping or self._stopping
                watcher.reap_process(process, status)
                if not asked:
                    self._watch.died(process, status, time.time() - worker.started)


def _holding_sighup(spawn: Callable[..., Any]) -> Callable[..., Any]:
    """``spawn``, made to start processes in which SIGHUP waits until they unblock it. At once it would end them."""

    def spawn_holding(*arguments: Any, **options: Any) -> Any:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        try:
            return spawn(*arguments, **options)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    return spawn_holding
