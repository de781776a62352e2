"""A search's state comes back from its file, and one of another format does not."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from semsim_training.attacks.best_seen import BestSeen
from semsim_training.attacks.search import SearchState
from semsim_training.reconstructions.search_state_file import load_search_state, save_search_state


@pytest.mark.parametrize("keeps_best", [True, False])
def test_comes_back(tmp_path: Path, keeps_best: bool) -> None:
    """Unknowns, optimiser and best candidates come back; without the mark of the format there is no state."""
    x = torch.arange(6.0).reshape(2, 3)
    best = BestSeen(x + 1, torch.tensor([0.5, torch.inf])) if keeps_best else None
    path = tmp_path / "state"
    save_search_state(SearchState(7, x, torch.tensor([False, True]), {"first": x * 2}, best), path)
    state = load_search_state(path)
    assert state is not None
    assert state.iteration == 7
    assert torch.equal(state.x, x)
    assert torch.equal(state.stepper["first"], x * 2)
    assert (state.best is None) != keeps_best
    if state.best is not None and best is not None:
        assert torch.equal(state.best.x, best.x)
        assert torch.equal(state.best.total, best.total)
    save_file({name: value for name, value in load_file(path).items() if "format" not in name}, path)
    assert load_search_state(path) is None
