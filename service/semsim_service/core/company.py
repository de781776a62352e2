"""Tells whether the service has one caller at the moment, which waits for each answer before it asks again."""

import time

COMPANY_SECONDS = 0.25
"""The seconds after which a caller that was not alone counts as alone again."""


class Company:
    """Notes the callers of a worker. Belongs to one event loop.

    Work for a lone caller is done where its request is, since each thread that it is handed to must be woken. Two
    callers would then be served one after the other, and each hide the other's wait: so a caller is known by its
    connection, and counts as alone where no other has asked for a while.
    """

    def __init__(self) -> None:
        self._caller: str | None = None
        self._until = float("-inf")

    def note(self, caller: str | None, others: int) -> None:
        """Note a request.

        Args:
            caller: the address and the port that it comes from; None where they are not known.
            others: the number of other requests that are not answered yet.
        """
        if others or caller is None or caller != self._caller:
            self._until = time.monotonic() + COMPANY_SECONDS
        self._caller = caller

    @property
    def is_alone(self) -> bool:
        """True where all requests of the last moment came from one caller, one at a time."""
        return time.monotonic() >= self._until
