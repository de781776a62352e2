"""Several processes under torchrun, one for each GPU."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist


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
