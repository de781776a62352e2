"""The time and the memory that a search needs at the least, told before it begins."""

import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from semsim_training.observations.observation import Observation

_TRIAL = 30
"""The gradients of one image that the trial of a network's paths takes, in time; measured on ResNet-18."""
_FIXED, _PER_IMAGE = 6.0, 2.5
"""The gradients of one image that an evaluation takes for each step of training, and for each image."""
CHECK = 8
"""The evaluations after a search: of its result, and of images of no worth beside it."""
_COPIES = 4
"""The activations that a gradient's gradient keeps, beside those that a gradient keeps."""


@dataclass(frozen=True, slots=True)
class SearchCost:
    """The cost of a search on one observation, on a CPU."""

    trial: float
    """The seconds of the trial that the first attack on a network begins with."""
    evaluation: float
    """The seconds of one evaluation of the search's objective and its gradient."""
    memory: int
    """The bytes that an evaluation holds."""

    @property
    def least(self) -> float:
        """The seconds of a search of two iterations, after the trial."""
        return (CHECK + 2) * self.evaluation


def search_cost(observation: Observation) -> SearchCost:
    """The cost, from two gradients of one image: the first one warms up."""
    seconds, saved = min(_gradient(observation) for _ in range(2))
    training, images = observation.update.local_training, observation.images
    steps, epochs = (1, 1) if training is None else (training.steps(images), training.epochs)
    weights = sum(value.nbytes for value in observation.update.tensors.values())
    return SearchCost(
        trial=_TRIAL * seconds,
        evaluation=seconds * (_FIXED * steps + _PER_IMAGE * images * epochs),
        memory=_COPIES * saved * images * epochs + 2 * _COPIES * weights * steps,
    )


def free_memory() -> int | None:
    """The bytes that the system can give to this process; None where it does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) * 1024
    except (OSError, StopIteration):
        return None
    try:
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())
    except (OSError, ValueError):  # no control group, or one without a limit
        return free
    return min(free, limit)


def _gradient(observation: Observation) -> tuple[float, int]:
    """The seconds of the gradient of one image, and the bytes of activations that it keeps."""
    model, inputs = observation.victim.model, observation.victim.inputs
    wanted = [model.get_parameter(name).requires_grad_() for name in observation.update.tensors]
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor.nbytes
        return tensor

    pixels = torch.zeros(1, *inputs.shape, dtype=wanted[0].dtype)
    began = time.monotonic()
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = model.eval()(pixels)
        if isinstance(logits, dict):
            logits = logits["logits"]
        logits = logits if isinstance(logits, Tensor) else logits[0]
        torch.autograd.grad(F.cross_entropy(logits, torch.zeros(1, dtype=torch.long)), wanted, allow_unused=True)
    weights = sum(value.nbytes for value in wanted)
    return time.monotonic() - began, max(sum(kept.values()) - weights, pixels.nbytes)
