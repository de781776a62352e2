"""Running shards on the engine that was asked for."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from semsim.bulk.engine import Engine
from semsim.progress import Progress
from semsim_training.reconstructions.engines.finished import Finished
from semsim_training.reconstructions.engines.here import run_here
from semsim_training.reconstructions.engines.processes import run_in_processes
from semsim_training.reconstructions.shard import Shard


def run_shards(
    engine: Engine,
    shards: Sequence[Shard],
    partials: Path,
    workers: int | None,
    progress: Progress,
) -> Iterator[Finished]:
    """Compute shards and yield them in any order.

    ``partials`` is where searches leave their state. ``workers``: processes, or tasks at once; ``None`` for all cores.

    Raises:
        SemSimError: a shard that cannot be computed.
    """
    match engine:
        case Engine.HERE:
            return run_here(shards, partials, progress)
        case Engine.PROCESSES:
            return run_in_processes(shards, partials, workers)
        case Engine.RAY:
            from semsim_training.reconstructions.engines.ray_cluster import run_on_ray  # an extra of its own

            return run_on_ray(shards, workers)
