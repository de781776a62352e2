"""Jobs of scoring, run on the engine that was asked for."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from semsim.bulk.engine import Engine
from semsim.exceptions import InvalidOption
from semsim.scorer import Scorer

if TYPE_CHECKING:
    from semsim.client import RemoteScorer

ScoringJob = Callable[[Any], Any]
"""A function of a scorer, :class:`semsim.scorer.Scorer` or that of a service. It can be pickled, and gives the same
result wherever it runs."""
_Job = TypeVar("_Job", bound=ScoringJob)


def run_jobs(
    engine: Engine, scorer: "Scorer | RemoteScorer", jobs: Iterable[_Job], workers: int | None = None
) -> Iterator[tuple[_Job, Any]]:
    """Run jobs and yield each with its result, in any order.

    Jobs are taken from the iterable as workers come free, so that no more than two a worker are held.

    Args:
        engine: the place where jobs run.
        scorer: the scorer of this process; workers open one of their own with its model, provider and controls.
        jobs: what is to be run.
        workers: processes, or actors; None for all cores. ``here`` has none.

    Raises:
        InvalidOption: workers are asked for, and the scorer is a service's.
        WorkerLost: worker processes died, or several actors died of one job.
        SemSimError: a job failed.
    """
    if engine is Engine.HERE:
        return ((job, job(scorer)) for job in jobs)
    if not isinstance(scorer, Scorer):
        raise InvalidOption(f"expected the engine here with a service, which has its own workers, got {engine}")
    if engine is Engine.PROCESSES:
        from semsim.bulk.workers.worker_processes import run_in_worker_processes

        return run_in_worker_processes(scorer, jobs, workers)
    from semsim.bulk.workers.ray_actors import run_on_ray_actors  # an extra of its own

    return run_on_ray_actors(scorer, jobs, workers)
