"""The state of a running search on disk, so that hours of it survive an interruption."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from semsim_training.attacks.best_seen import BestSeen
from semsim_training.attacks.search import SearchState

_FORMAT = "format 2"
"""The name of a tensor without content; states of format 1 knew neither rounds nor best candidates."""
_MARK = torch.zeros(0)


def save_search_state(state: SearchState, path: Path) -> None:
    """Write a state; a reader sees the old file or the new one."""
    tensors = {"x": state.x, "diverged": state.diverged, "iteration": torch.tensor(state.iteration), _FORMAT: _MARK}
    tensors |= {f"stepper/{name}": value for name, value in state.stepper.items()}
    if state.best is not None:
        tensors |= {"best/x": state.best.x, "best/total": state.best.total}
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    save_file({name: value.cpu().contiguous().clone() for name, value in tensors.items()}, fresh)
    fresh.replace(path)


def load_search_state(path: Path) -> SearchState | None:
    """The state of an interrupted search, or nothing where none is to be had."""
    try:
        tensors = load_file(path)
    except (FileNotFoundError, SafetensorError):
        return None  # a search starts over rather than from a damaged state
    if _FORMAT not in tensors:
        return None
    stepper = {name.removeprefix("stepper/"): value for name, value in tensors.items() if name.startswith("stepper/")}
    best = BestSeen(tensors["best/x"], tensors["best/total"]) if "best/x" in tensors else None
    return SearchState(int(tensors["iteration"]), tensors["x"], tensors["diverged"], stepper, best)


def forget(path: Path) -> None:
    """Remove a state that is no longer needed."""
    path.unlink(missing_ok=True)
