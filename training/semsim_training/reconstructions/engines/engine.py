"""The engines by name."""

from enum import StrEnum


class Engine(StrEnum):
    """Where shards are computed."""

    HERE = "here"
    """One after another in this process: for a GPU, and for debugging."""
    PROCESSES = "processes"
    """On the CPU's cores, one thread each."""
    RAY = "ray"
    """On a Ray cluster (extra ``ray``)."""
