"""Objectives against their formulas, written out for one client."""

import inspect
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from semsim_training.attacks import objectives
from semsim_training.attacks.objectives import Cosine, Euclidean, Manhattan, Objective, PerOutputCosine
from semsim_training.gradients.terms import DenseTerm

Parameters = Sequence[Tensor]
"""One client's gradients, ``(out, rest)`` each; a bias is ``(out, 1)``."""


def flat(parameters: Parameters) -> Tensor:
    """All entries."""
    return torch.cat([parameter.flatten() for parameter in parameters])


def per_output(made: Parameters, seen: Parameters) -> float:
    """The mean of one minus the cosine, over the rows of weights and over whole biases."""
    rows = [
        pair
        for a, b in zip(made, seen, strict=True)
        for pair in (zip(a, b, strict=True) if a.shape[1] > 1 else [(a.flatten(), b.flatten())])
    ]
    return float(torch.stack([1 - torch.cosine_similarity(a, b, dim=0) for a, b in rows]).mean())


FORMULAS: dict[type[Objective], Callable[[Parameters, Parameters], float]] = {
    Cosine: lambda made, seen: float(1 - torch.cosine_similarity(flat(made), flat(seen), dim=0)),
    Euclidean: lambda made, seen: float((flat(made) - flat(seen)).square().sum()),
    Manhattan: lambda made, seen: float((flat(made) - flat(seen)).abs().sum()),
    PerOutputCosine: per_output,
}
SHAPES = ((4, 6), (4, 1), (3, 4), (3, 1))
CLIENTS = 5


def gradients(seed: int) -> list[Tensor]:
    """The gradients of all clients by each parameter, ``(CLIENTS, out, rest)``."""
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn((CLIENTS, *shape), generator=rng, dtype=torch.float64) for shape in SHAPES]


def distances(objective: Objective, made: Sequence[Tensor], seen: Sequence[Tensor]) -> Tensor:
    """The distances of all clients."""
    return objective([DenseTerm(parameter) for parameter in made], objective.prepare(seen))


@pytest.mark.parametrize("kind", FORMULAS)
def test_an_objective_is_its_formula_for_each_client_alone(kind: type[Objective]) -> None:
    """Each client has the formula's value times the scale, whatever its neighbours, and zero where gradients agree."""
    made, seen = gradients(0), gradients(1)
    together = distances(kind(scale=3.0), made, seen)  # type: ignore[call-arg]
    assert together.shape == (CLIENTS,)
    for client in range(CLIENTS):
        expected = 3 * FORMULAS[kind]([one[client] for one in made], [one[client] for one in seen])
        alone = distances(kind(scale=3.0), *([one[client : client + 1] for one in both] for both in (made, seen)))  # type: ignore[call-arg]
        assert float(together[client]) == pytest.approx(expected, rel=1e-9)
        assert float(alone[0]) == pytest.approx(expected, rel=1e-9)
    assert distances(kind(), seen, seen).abs().max() < 1e-12


def test_every_objective_has_a_formula() -> None:
    """No objective is left out of these tests."""
    classes = {value for value in vars(objectives).values() if inspect.isclass(value) and issubclass(value, Objective)}
    assert classes - {Objective} == set(FORMULAS)
