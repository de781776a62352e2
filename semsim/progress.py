"""The progress of long work, as a function that the work calls."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""A function of the name of a step, how much of it is done, and how much it is in all."""


def silent(step: str, done: int, total: int) -> None:
    """Tell nobody."""


def prefixed(progress: Progress, name: str) -> Progress:
    """Tell ``progress``, with ``name`` before every step, where several things are made one after another."""
    return lambda step, done, total: progress(f"{name}: {step}", done, total)
