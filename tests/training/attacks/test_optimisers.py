"""The batched optimisers against PyTorch's, one problem at a time."""

import pytest
import torch
from torch import Tensor

from semsim_training.attacks.steppers import Optimiser

PROBLEMS, UNKNOWNS = 5, 12


def problems() -> tuple[Tensor, Tensor, Tensor]:
    """Quadratics of different condition, their minima and first points."""
    rng = torch.Generator().manual_seed(0)
    root = torch.randn(PROBLEMS, UNKNOWNS, UNKNOWNS, generator=rng, dtype=torch.float64)
    hessians = root @ root.transpose(1, 2) / UNKNOWNS + 0.1 * torch.eye(UNKNOWNS, dtype=torch.float64)
    minima, start = torch.randn(2, PROBLEMS, UNKNOWNS, generator=rng, dtype=torch.float64)
    return hessians, minima, start


def reference(kind: str, rate: float, steps: int) -> Tensor:
    """The point that PyTorch's optimiser reaches on each problem alone."""
    hessians, minima, start = problems()
    rows = []
    for hessian, minimum, first in zip(hessians, minima, start, strict=True):
        x = first.clone().requires_grad_()
        made: torch.optim.Optimizer
        if kind == "l-bfgs":
            made = torch.optim.LBFGS([x], lr=rate, max_iter=steps, tolerance_grad=0, tolerance_change=0)
        elif kind == "adam":
            made = torch.optim.Adam([x], lr=rate)
        else:
            made = torch.optim.SGD([x], lr=rate, momentum=0.9, nesterov=True)

        def closure() -> Tensor:
            made.zero_grad()  # noqa: B023
            loss = 0.5 * (x - minimum) @ hessian @ (x - minimum)  # noqa: B023
            loss.backward()
            return loss

        for _ in range(1 if kind == "l-bfgs" else steps):
            made.step(closure)
        rows.append(x.detach())
    return torch.stack(rows)


@pytest.mark.parametrize(("kind", "rate"), [("adam", 0.1), ("sgd", 0.05), ("l-bfgs", 1.0)])
@pytest.mark.parametrize("interrupted", [False, True])
def test_equal_to_pytorch_and_to_itself_resumed(kind: str, rate: float, interrupted: bool) -> None:
    """Twelve steps on five problems at once are PyTorch's on each alone, also through a saved state."""
    hessians, minima, x = problems()
    optimiser = Optimiser(kind, rate)  # type: ignore[arg-type]
    stepper = optimiser.start(x)
    for step in range(12):
        if interrupted and step == 7:
            state = {name: value.clone() for name, value in stepper.state().items()}
            stepper = optimiser.start(x)
            stepper.restore(state)
        gradient = (hessians @ (x - minima)[:, :, None])[:, :, 0]
        total = 0.5 * ((x - minima) * gradient).sum(dim=1)
        x = stepper.step(x, gradient, total, rate)
    assert torch.allclose(x, reference(kind, rate, 12), rtol=1e-8, atol=1e-10)
