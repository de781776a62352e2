"""Time that passes when a test says so."""

from dataclasses import dataclass


@dataclass
class Clock:
    """Seconds since the epoch."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        """What time it is."""
        return self.now
