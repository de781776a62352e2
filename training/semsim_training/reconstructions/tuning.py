"""The number of clients to put into one graph, measured on the machine that will do the work."""

import time
from collections.abc import Callable
from dataclasses import replace

import torch

from semsim_training.attacks.candidate_evaluation import Evaluation
from semsim_training.attacks.choice import ClosedForm
from semsim_training.client_images.labelled import LabelledImages
from semsim_training.observations.aggregate import observe_round
from semsim_training.reconstructions.shard import Shard

_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_ENOUGH = 0.95
"""A larger batch must take less than this share of the time for each client; ties go to the smaller one."""
_CPU_LIMIT = 128
"""The most images in one graph on a CPU, the restarts of each included."""
_LONGEST_S = 20.0
"""A single evaluation that takes longer ends the search for larger batches."""
_CLOSED_FORM = 64
"""Clients in a shard of a closed form, which has no graph."""


def tuned_batch_size(shard: Shard, images: LabelledImages) -> int:
    """The number of clients that is fastest a client, no larger than the setting needs or the memory holds."""
    choice = shard.attack.resolve()
    if isinstance(choice, ClosedForm):
        return _CLOSED_FORM
    clients = len(images) // shard.batch
    best, best_time = 1, float("inf")
    observation = observe_round(shard.victim, shard.images.images, shard.images.labels, shard.protocol, 0)
    device = torch.device(shard.options.device)
    for size in _SIZES:
        if size // 2 >= clients or (device.type == "cpu" and size * choice.restarts * shard.batch > _CPU_LIMIT):
            break
        recipe = replace(choice, iterations=1)
        try:
            evaluation = Evaluation(recipe, [observation] * size, device, torch.float32)
            start = evaluation.start(0).to(device, torch.float32)
            candidates = start.expand(size * recipe.restarts, *start.shape).contiguous()
            labels = torch.zeros(len(candidates), shard.batch, dtype=torch.int64, device=device)
            taken = _seconds(lambda: evaluation(candidates, labels, evaluation.targets), device)  # noqa: B023
        except torch.OutOfMemoryError:
            break
        if taken / size < best_time * _ENOUGH:
            best, best_time = size, taken / size
        if taken > _LONGEST_S:
            break
    return min(best, clients)


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    """The shortest of a few runs after a first one."""
    times = []
    for _ in range(4):
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:])
