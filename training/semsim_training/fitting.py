"""Gradient descent over epochs, for victims, recognisers and the metric. It can be interrupted after any epoch.

Under ``torchrun`` every process calls :func:`fit` with other batches, and gradients are averaged over the processes.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from semsim.progress import Progress, silent
from semsim_training.distributed import average_gradients, rank

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
    """Fit ``model``. Where an interrupted run left the file ``state``, go on after its last epoch.

    Args:
        model: the network. Each epoch begins by putting it into training mode.
        optimiser: an optimiser of the model's parameters.
        batches: gives the batches of an epoch, counted from 0. All randomness must follow from that number: a resumed
            run then makes the same batches.
        loss: gives the loss of one batch.
        epochs: how many epochs the training has.
        steps: how many batches an epoch has.
        rate: gives the learning rate at a position in epochs, such as 2.25.
        state: a file (safetensors) for weights and optimiser state after each epoch; it is removed at the end.
        amend: changes the gradients before a step, given the numbers of the epoch and the batch.
        finished: called after each epoch with its number and mean loss.
        progress: called after each batch and each epoch.
    """
    first = load_training_state(model, optimiser, state) if state.exists() else 0
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
            save_training_state(model, optimiser, epoch + 1, state)
        progress("epochs", epoch + 1, epochs)
    if rank() == 0:
        state.unlink(missing_ok=True)


def save_training_state(model: nn.Module, optimiser: torch.optim.Optimizer, epochs: int, path: Path) -> None:
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


def load_training_state(model: nn.Module, optimiser: torch.optim.Optimizer, path: Path) -> int:
    """Restore the state that :func:`save_training_state` wrote, and return how many epochs were done."""
    tensors = load_file(path)
    model.load_state_dict(
        {name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")}
    )
    parameters = dict(model.named_parameters())
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimiser":
            key, _, parameter = rest.partition(".")
            # A step count stays on the CPU; moments lie on the device of their parameter.
            moved = value.to(parameters[parameter]) if value.dim() else value
            optimiser.state[parameters[parameter]][key] = moved
    with safe_open(path, "pt") as file:
        return int(file.metadata()["epochs"])
