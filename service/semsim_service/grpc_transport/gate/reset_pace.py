"""Paces what costs the server much and its caller little: calls that are begun and reset, and long refusals."""

_FREE = 64
_FREE_A_SECOND = 32.0
_TURNS_A_SECOND = 500.0


class ResetPace:
    """The turns of all connections of a worker that have used up what each of them may do freely."""

    def __init__(self) -> None:
        self._next = 0.0

    def take_turns(self, now: float, count: int) -> float:
        """The seconds from ``now`` until a connection's turns are over. Turns follow each other at a fixed rate."""
        self._next = max(self._next, now) + count / _TURNS_A_SECOND
        return self._next - now


class ConnectionPace:
    """The share of one connection that is free. Past it the connection waits for its turns, and loses nothing else.

    A client that stops many calls at once, because their deadline has passed, waits for a moment only.
    """

    def __init__(self, turns: ResetPace) -> None:
        self._turns = turns
        self._free = float(_FREE)
        self._seen = 0.0

    def spend(self, now: float, count: int) -> float:
        """Note costly events. Returns the seconds for which the connection must wait, 0 where they are free."""
        self._free = min(float(_FREE), self._free + (now - self._seen) * _FREE_A_SECOND)
        self._seen = now
        if self._free >= count:
            self._free -= count
            return 0.0
        return self._turns.take_turns(now, count)
