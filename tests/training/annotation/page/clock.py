"""Time that passes when a test says so."""

from dataclasses import dataclass


@dataclass
class Clock:
    """A clock that stands still until ``now`` is changed."""

    now: float = 1_000_000.0
    """Seconds since the epoch."""

    def __call__(self) -> float:
        """The time, in seconds since the epoch."""
        return self.now
