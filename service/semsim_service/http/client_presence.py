"""The client of a request, of whom the request's task hears when he goes."""

import asyncio
from types import TracebackType
from typing import Any

from semsim.exceptions import RequestCancelled

_KEY = "semsim.presence"


class ClientPresence:
    """Knows if a client is there. As a context it cancels the task of its block when the client goes.

    Two more tasks, one for the work and one that waits for the client to go, would cost more than the work.
    """

    __slots__ = ("_gone", "_task")

    def __init__(self) -> None:
        self._gone = False
        self._task: asyncio.Task[Any] | None = None

    def end(self) -> None:
        """Note that the client has gone."""
        self._gone = True
        if self._task is not None:
            self._task.cancel()

    def __enter__(self) -> None:
        """Begin the work that is done for the client alone.

        Raises:
            RequestCancelled: the client has gone.
        """
        if self._gone:
            raise RequestCancelled("the client went before its answer was there")
        self._task = asyncio.current_task()

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        """End it. A task that was cancelled because the client went goes on, with an error.

        Raises:
            RequestCancelled: the client has gone.
        """
        task, self._task = self._task, None
        if self._gone and task is not None and task.cancelling():
            task.uncancel()
            if kind is asyncio.CancelledError:
                raise RequestCancelled("the client went before its answer was there") from None


def put_presence(scope: Any, presence: ClientPresence) -> None:
    """Let a request's endpoint find its client's presence."""
    scope[_KEY] = presence


def presence_of(scope: Any) -> ClientPresence:
    """The presence of a request's client, who stays where the server cannot tell."""
    presence: ClientPresence = scope.get(_KEY) or ClientPresence()
    return presence
