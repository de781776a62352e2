"""Jobs on the actors of a Ray cluster, each of which holds a session.

Actors and not Ray Data: an actor that is lost takes one job with it, which another one does again, and the driver alone
keeps count of what is done. Ray Data keeps that count to itself, and loses it with the driver.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import ray
from ray.exceptions import RayActorError, RayTaskError

from semsim.bulk.workers.scorer_recipe import ScorerRecipe
from semsim.exceptions import SemSimError, WorkerLost
from semsim.memory import keep_freed_memory
from semsim.scorer import Scorer

_Job = TypeVar("_Job")

_ATTEMPTS = 3
"""The actors that one job may take with it: then it is the job that kills them."""


class _Worker:
    """An actor. It opens its session in a task: the error of a constructor would be told as that of a lost actor."""

    def __init__(self, recipe: ScorerRecipe) -> None:
        self._recipe = recipe
        self._scorer: Scorer | None = None

    def open(self) -> None:
        keep_freed_memory()
        self._scorer = self._recipe.open()

    def run(self, job: Any) -> Any:
        return job(self._scorer)


def run_on_ray_actors(scorer: Scorer, jobs: Iterable[_Job], workers: int | None) -> Iterator[tuple[_Job, Any]]:
    """Run jobs on the cluster of ``RAY_ADDRESS``, or on one started here.

    An actor has one job at a time. The job of a lost actor goes to the next one that is free; a new actor takes the
    lost one's place as soon as the cluster has room for it.

    Raises:
        WorkerLost: three actors were lost with the same job, or before they had one.
        SemSimError: a job failed.
    """
    started = not ray.is_initialized()
    if started:
        ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
    recipe = ScorerRecipe.of(scorer)
    count = workers or max(1, int(ray.cluster_resources().get("GPU" if recipe.needs_gpu else "CPU", 1)))
    actors = _Actors(recipe)
    try:
        actors.begin(count)
        yield from actors.run(iter(jobs))
    finally:
        actors.end()
        if started:
            ray.shutdown()


@dataclass(eq=False, slots=True)
class _Attempt:
    """A job with the number of actors that were lost with it; the opening of a session where there is no job."""

    job: Any = None
    losses: int = 0


class _Actors:
    """The actors of one run. Each is idle, or has one attempt."""

    def __init__(self, recipe: ScorerRecipe) -> None:
        self._kind = ray.remote(num_cpus=1, num_gpus=int(recipe.needs_gpu))(_Worker)
        self._recipe = ray.put(recipe)
        self._idle: list[Any] = []
        self._running: dict[Any, tuple[Any, _Attempt]] = {}
        self._again: list[_Attempt] = []

    def begin(self, count: int, losses: int = 0) -> None:
        for _ in range(count):
            actor = self._kind.remote(self._recipe)
            self._running[actor.open.remote()] = actor, _Attempt(losses=losses)

    def run(self, jobs: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
        while True:
            while self._idle and (attempt := self._following(jobs)) is not None:
                actor = self._idle.pop()
                self._running[actor.run.remote(attempt.job)] = actor, attempt
            # An actor that waits for room on the cluster holds nobody up once the last job is done.
            if self._idle and not any(attempt.job for _, attempt in self._running.values()):
                return
            yield from self._wait()

    def end(self) -> None:
        for actor in [*self._idle, *(actor for actor, _ in self._running.values())]:
            ray.kill(actor)

    def _following(self, jobs: Iterator[Any]) -> _Attempt | None:
        if self._again:
            return self._again.pop()
        job = next(jobs, None)
        return None if job is None else _Attempt(job)

    def _wait(self) -> Iterator[tuple[Any, Any]]:
        reference = ray.wait(list(self._running))[0][0]
        actor, attempt = self._running.pop(reference)
        try:
            result = ray.get(reference)
        except RayActorError as error:
            self._lost(attempt, error)
            return
        except RayTaskError as error:
            if isinstance(error.cause, SemSimError):
                raise error.cause from error
            raise
        self._idle.append(actor)
        if attempt.job is not None:
            yield attempt.job, result

    def _lost(self, attempt: _Attempt, error: Exception) -> None:
        attempt.losses += 1
        if attempt.losses >= _ATTEMPTS:
            raise WorkerLost(
                f"expected actors that live until their work is done, got {_ATTEMPTS} that were lost: {error}"
            ) from error
        if attempt.job is not None:
            self._again.append(attempt)
        self.begin(1, losses=0 if attempt.job is not None else attempt.losses)
