"""Several processes under torchrun, one for each GPU."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn


@contextmanager
def together(device: str) -> Iterator[str]:
    """Join the processes that torchrun started, and give this one's device; ``device`` itself without torchrun."""
    if "LOCAL_RANK" not in os.environ:
        yield device
        return
    device_here = f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" else device
    if device == "cuda":
        torch.cuda.set_device(device_here)
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield device_here
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """The number of this process under ``torchrun``; 0 without it."""
    return dist.get_rank() if dist.is_initialized() else 0


def processes() -> int:
    """The number of processes that train together; 1 without ``torchrun``."""
    return dist.get_world_size() if dist.is_initialized() else 1


def average_gradients(model: nn.Module) -> None:
    """Replace every gradient by its mean over the processes."""
    if processes() == 1:
        return
    for parameter in model.parameters():
        if parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            parameter.grad /= processes()
