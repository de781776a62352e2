"""Several processes, one a GPU, under torchrun."""

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
    own = f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" else device
    if device == "cuda":
        torch.cuda.set_device(own)
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield own
    finally:
        dist.destroy_process_group()
