"""Checkpoints and wrappers: plain names whatever a tool put around them."""

import pytest
import torch
from torch import Tensor, nn

from semsim.exceptions import InvalidUpdate, InvalidVictim
from semsim_training.victims.state_dicts import plain_module, plain_names, state_dict_of


def network() -> nn.Sequential:
    """A network with a layer inside another."""
    return nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2)))


def test_wrappers_of_a_model_are_taken_off() -> None:
    """DataParallel and torch.compile are taken off in any order, and the parameters stay the same objects."""
    model = network()
    for wrapped in (nn.DataParallel(model), torch.compile(model), torch.compile(nn.DataParallel(model)), model):
        assert plain_module(wrapped) is model  # type: ignore[arg-type]


def test_a_compiled_layer_is_taken_off_in_a_copy() -> None:
    """A layer that was compiled has its plain names, and the model of the user stays as it was."""
    model = network()
    model[1] = torch.compile(model[1])  # type: ignore[assignment]
    plain = plain_module(model)
    assert set(plain.state_dict()) == set(network().state_dict())
    assert any("_orig_mod" in name for name in model.state_dict())


@pytest.mark.parametrize(
    "wrap", [nn.DataParallel, torch.compile, lambda model: nn.DataParallel(torch.compile(model)), lambda model: model]
)
def test_names_are_those_of_the_plain_model(wrap: object) -> None:
    """The state dict of a wrapped model fits the plain one."""
    model = network()
    wrapped: nn.Module = wrap(model)  # type: ignore[operator]
    assert set(plain_names(wrapped.state_dict(), model)) == set(model.state_dict())


def test_a_layer_that_is_called_module_keeps_its_name() -> None:
    """A name of the model is never stripped."""
    model = nn.Sequential()
    model.add_module("module", nn.Linear(2, 2))
    assert set(plain_names(model.state_dict(), model)) == {"module.weight", "module.bias"}
    wrapped = nn.DataParallel(model).state_dict()
    assert set(plain_names(wrapped, model)) == {"module.weight", "module.bias"}


def test_two_tensors_of_one_name_are_refused() -> None:
    """A file with the name both plain and prefixed does not say which tensor is meant."""
    state = network().state_dict()
    both: dict[str, Tensor] = {**state, "module.0.weight": torch.zeros(3, 4)}
    with pytest.raises(InvalidUpdate, match=r"expected one tensor for 0\.weight, got 0\.weight and module\.0\.weight"):
        plain_names(both, network(), InvalidUpdate)


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_checkpoints_are_unwrapped(key: str) -> None:
    """The state dict is found beside an epoch and an optimiser's state."""
    state = network().state_dict()
    loaded = {"epoch": 3, "optimizer": {"state": {}}, key: state}
    assert set(state_dict_of(loaded, "x.pt")) == set(state)
    assert set(state_dict_of(state, "x.pt")) == set(state)


def test_what_is_no_state_dict_is_refused_with_what_came() -> None:
    """Several state dicts, none, and something else are told apart."""
    state = network().state_dict()
    with pytest.raises(InvalidVictim, match="got 2: state_dict, model"):
        state_dict_of({"state_dict": state, "model": state}, "x.pt")
    with pytest.raises(InvalidVictim, match=r"got a mapping of epoch \(int\), weights \(list\)"):
        state_dict_of({"epoch": 1, "weights": [1.0]}, "x.pt")
    with pytest.raises(InvalidVictim, match="got list"):
        state_dict_of([1.0], "x.pt")
