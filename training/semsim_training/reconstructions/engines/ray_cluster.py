"""Shards on a Ray cluster. Each carries its images and its victim, so that machines need share no disk."""

import os
from collections.abc import Iterator, Sequence

import ray

from semsim_training.reconstructions.engines.finished import Finished
from semsim_training.reconstructions.shard import Shard


def run_on_ray(shards: Sequence[Shard], workers: int | None) -> Iterator[Finished]:
    """Compute shards on the cluster of ``RAY_ADDRESS``, or on one started here. A lost machine's shards run again."""
    started = not ray.is_initialized()
    if started:
        here = None if "RAY_ADDRESS" in os.environ else workers  # Ray refuses a count for a cluster that is there.
        ray.init(num_cpus=here, include_dashboard=False, log_to_driver=False, configure_logging=False)
    gpu = bool(shards) and shards[0].options.device != "cpu"
    remote = ray.remote(num_cpus=1, num_gpus=1 if gpu else 0, max_retries=3)(_run)
    limit = 2 * max(1, workers or int(ray.cluster_resources().get("GPU" if gpu else "CPU", 1)))
    remaining = iter(shards)
    running: set[ray.ObjectRef] = set()
    try:
        while True:
            while len(running) < limit and (shard := next(remaining, None)) is not None:
                running.add(remote.remote(shard))
            if not running:
                return
            for reference in ray.wait(list(running))[0]:
                running.remove(reference)
                yield ray.get(reference)
    finally:
        for reference in running:
            ray.cancel(reference, force=True)
        if started:
            ray.shutdown()


def _run(shard: Shard) -> Finished:
    return Finished.by(shard)
