"""The engines of long work by name."""

from enum import StrEnum


class Engine(StrEnum):
    """The place where work is done."""

    HERE = "here"
    """One piece after another in this process: for a GPU, and for debugging."""
    PROCESSES = "processes"
    """The CPU's cores, one thread each."""
    RAY = "ray"
    """A Ray cluster (extra ``ray``)."""
