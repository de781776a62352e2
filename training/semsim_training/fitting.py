"""Gradient descent over epochs that can be interrupted after any of them, for victims, recognisers and the metric.

Under ``torchrun`` every process calls :func:`fit` with batches of its own; gradients are averaged over them.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from semsim_training.progress import Progress, silent

_Batch = TypeVar("_Batch")


def fit(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    batches: Callable[[int], Iterable[_Batch]],
    loss: Callable[[_Batch], Tensor],
    *,
    epochs: int,
    steps: int,
    rate: Callable[[float], float],
    state: Path,
    amend: Callable[[int, int], None] = lambda *_: None,
    finished: Callable[[int, float], None] = lambda *_: None,
    progress: Progress = silent,
) -> None:
    """Fit ``model`` and leave nothing at ``state``; where an interrupted run left it, go on after its last epoch.

    Args:
        model: in any mode; it trains in training mode, and what ``finished`` sets is set back.
        optimiser: over the model's parameters.
        batches: of an epoch, counted from 0; all randomness hangs on that number, so that a resumed run needs none.
        loss: of one batch.
        epochs: in all.
        steps: batches an epoch, for the learning rate and the progress.
        rate: the learning rate at a position in epochs, such as 2.25.
        state: weights and optimiser state after each epoch (safetensors).
        amend: changes the gradients before a step, given epoch and batch number.
        finished: called after each epoch with its number and mean loss.
        progress: called with a title, batches done and in all.
    """
    first = load_state(model, optimiser, state) if state.exists() else 0
    for epoch in range(first, epochs):
        model.train()
        total = 0.0
        for number, batch in enumerate(batches(epoch)):
            for group in optimiser.param_groups:
                group["lr"] = rate(epoch + number / steps) * group.get("factor", 1.0)
            value = loss(batch)
            optimiser.zero_grad()
            value.backward()
            average_gradients(model)
            amend(epoch, number)
            optimiser.step()
            total += float(value.detach())
            progress(f"epoch {epoch + 1}", number + 1, steps)
        finished(epoch, total / steps)
        if rank() == 0:
            save_state(model, optimiser, epoch + 1, state)
        progress("epochs", epoch + 1, epochs)
    if rank() == 0:
        state.unlink(missing_ok=True)


def rank() -> int:
    """The number of this process under torchrun; 0 without."""
    return dist.get_rank() if dist.is_initialized() else 0


def processes() -> int:
    """How many processes train together; 1 without torchrun."""
    return dist.get_world_size() if dist.is_initialized() else 1


def average_gradients(model: nn.Module) -> None:
    """Replace every gradient by its mean over the processes."""
    if processes() == 1:
        return
    for parameter in model.parameters():
        if parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            parameter.grad /= processes()


def save_state(model: nn.Module, optimiser: torch.optim.Optimizer, epochs: int, path: Path) -> None:
    """Write weights, buffers and optimiser state after ``epochs`` epochs, whole or not at all."""
    tensors: dict[str, Tensor] = {f"model.{name}": value for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for key, value in optimiser.state.get(parameter, {}).items():
            tensors[f"optimiser.{key}.{name}"] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    save_file(contiguous, partial, metadata={"epochs": str(epochs)})
    partial.replace(path)


def load_state(model: nn.Module, optimiser: torch.optim.Optimizer, path: Path) -> int:
    """Restore what :func:`save_state` wrote; the number of epochs done."""
    tensors = load_file(path)
    model.load_state_dict(
        {name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")}
    )
    parameters = dict(model.named_parameters())
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimiser":
            key, _, of = rest.partition(".")
            # A step count stays on the CPU; moments lie with their parameter.
            optimiser.state[parameters[of]][key] = value.to(parameters[of]) if value.dim() else value
    with safe_open(path, "pt") as file:
        return int(file.metadata()["epochs"])
