"""Observations that are read from files, so that operators can attack their rounds."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from semsim.exceptions import InvalidUpdate, InvalidVictim
from semsim_training.gradients.attackable import independent_copy, trained_names
from semsim_training.gradients.update import LocalTraining, Update
from semsim_training.observations.moved_buffers import refuse_moved_buffers
from semsim_training.observations.observation import BatchNormMode, Observation, Victim, running_statistics
from semsim_training.observations.plausibility import refuse_another_kind, refuse_other_steps, rounding_share
from semsim_training.observations.sent_tensors import SentTensors, named_tensors
from semsim_training.observations.taken_inputs import refuse_other_inputs
from semsim_training.observations.update_kind import UpdateKind
from semsim_training.victims.building import build_network
from semsim_training.victims.victim_checkpoint import VictimDescription, load_victim, load_weights


def victim_from_files(model: Path, description: Path | None = None) -> Victim:
    """The model that was sent out: a checkpoint with its description, or any state dict with a given ``description``.

    Raises:
        InvalidVictim: a file cannot be read, or the weights are not the network's.
    """
    if description is None:
        if not model.with_suffix(".json").exists():
            raise InvalidVictim(
                f"expected a description of the network at {model.with_suffix('.json')}, or one by --description"
            )
        network, known = load_victim(model)
    else:
        known = VictimDescription.read(description)
        network = with_weights(build_network(known.network, known.seed, known.initialisation), model)
    return Victim(network, known.network.inputs, known.network.label, trained=known.training is not None)


def with_weights(model: nn.Module, weights: SentTensors) -> nn.Module:
    """A copy of ``model`` with other weights, by name or in order, in memory or in a file.

    Raises:
        InvalidVictim: a file cannot be read, or the weights are not the network's.
    """
    loaded = independent_copy(model)
    tensors = _implied(model) | named_tensors(weights, model, InvalidVictim)
    load_weights(loaded, tensors, str(weights) if isinstance(weights, Path) else "the tensors")
    return loaded


def observation_of(
    victim: Victim,
    update: SentTensors,
    kind: UpdateKind,
    *,
    images: int = 1,
    labels: tuple[int, ...] | None = None,
    local_training: LocalTraining | None = None,
    batchnorm: BatchNormMode = "eval",
) -> Observation:
    """The update that came back, with what is known about how it was made.

    Parameters of the victim that require no gradient may be missing, or must not have moved.

    Raises:
        InvalidUpdate: the file cannot be read, does not fit the model, is of another kind, or the options contradict
            it.
        InvalidVictim: the victim does not take its inputs, or has another number of classes.
    """
    if (kind is UpdateKind.GRADIENT) != (local_training is None):
        got = "none" if local_training is None else "one"
        wanted = "no learning rate" if kind is UpdateKind.GRADIENT else "the learning rate of local training"
        raise InvalidUpdate(f"expected {wanted} for an update of kind {kind}, got {got}")
    refuse_other_inputs(victim)
    model = victim.model
    sent = named_tensors(update, model)
    _refuse_other_shapes(model, sent)
    before = {name: value.detach().cpu() for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    weights = {name: before[name] for name in trained_names(model)}
    refuse_another_kind(kind, sent, weights)
    frozen = [name for name, _ in model.named_parameters() if name not in weights]
    tensors = {name: value for name, value in sent.items() if name not in dict(model.named_buffers())}
    if kind is UpdateKind.AFTER:
        tensors = {name: _difference(value, before.get(name)) for name, value in tensors.items()}
    for name in frozen:
        if name in tensors and tensors.pop(name).any():
            raise InvalidUpdate(f"expected no update of {name}, which requires no gradient, got one")
    # Attacks get tensors in the order of the model, which files do not keep.
    ordered = [name for name in (*weights, *(name for name in tensors if name not in weights)) if name in tensors]
    changed = {name: _as_trained(tensors[name], before.get(name)) for name in ordered}
    refuse_moved_buffers(model, sent, kind)
    running = _running_statistics(victim, sent, kind, batchnorm)
    counters = {name: value.double() for name, value in sent.items() if name in before and name not in changed}
    if kind is UpdateKind.AFTER:
        counters = {name: value - before[name].double() for name, value in counters.items()}
    if kind is not UpdateKind.GRADIENT:
        refuse_other_steps(counters, local_training, images)
    return Observation(
        victim=victim,
        update=Update(changed, local_training, running),
        images=images,
        batchnorm=batchnorm,
        labels=labels,
        rounding=rounding_share(sent, changed),
    )


def _refuse_other_shapes(model: nn.Module, sent: Mapping[str, Tensor]) -> None:
    """Refuse buffers of another shape; the observation says it of parameters."""
    for name, buffer in model.named_buffers():
        came = sent.get(name, buffer)
        if came.shape != buffer.shape and not came.numel() == buffer.numel() == 1:
            raise InvalidUpdate(
                f"expected {name} of shape {tuple(buffer.shape)} in the update, got {tuple(came.shape)}"
            )


def _running_statistics(
    victim: Victim, sent: Mapping[str, Tensor], kind: UpdateKind, batchnorm: BatchNormMode
) -> dict[str, Tensor]:
    """The running statistics after the client's steps; none where the client does not send them."""
    before = running_statistics(victim.model)
    came = {name: sent[name].to(value) for name, value in before.items() if name in sent}
    if kind is not UpdateKind.AFTER and not any(value.any() for value in came.values()):
        return {}  # zeros in the place of a gradient, or of a change
    if kind is UpdateKind.DELTA:
        moved = [name for name, value in came.items() if value.any()]
        came = {name: before[name] + value for name, value in came.items()}
    else:  # a statistic that was sent in half precision is rounded and has not moved
        still = {name: before[name].to(sent[name].dtype).to(value) for name, value in came.items()}
        moved = [name for name, value in came.items() if not torch.equal(value, still[name])]
    if moved and batchnorm == "eval":
        raise InvalidUpdate(
            f"expected batch normalisation in training mode (--batchnorm train) of a client that moved {moved[0]}"
        )
    if came and not moved and batchnorm == "train" and kind is UpdateKind.AFTER:
        raise InvalidUpdate(
            "expected running statistics that moved, of a client with batch normalisation in training mode, got those "
            "that were sent out: say --batchnorm eval, or leave them out"
        )
    return came if moved else {}


def _implied(model: nn.Module) -> dict[str, Tensor]:
    """The parts of a state dict that lists of weights leave out: counters of batches, second names of a parameter."""
    named = {name for name, _ in (*model.named_parameters(), *model.named_buffers())}
    state = {name: value for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    return {name: value for name, value in state.items() if name.endswith("num_batches_tracked") or name not in named}


def _difference(after: Tensor, before: Tensor | None) -> Tensor:
    if before is None or before.shape != after.shape:
        return after  # the observation says what is wrong with it
    return after.double() - before.double()


def _as_trained(value: Tensor, before: Tensor | None) -> Tensor:
    """The value in float64 where the weights are, and otherwise in float32."""
    double = before is not None and before.dtype == torch.float64
    return value.to(torch.float64 if double else torch.float32)
