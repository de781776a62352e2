"""A client's batch statistics, from the running statistics that it sends back with its weights.

Training moves running statistics: after = (1 - momentum) * before + momentum * batch. An attacker who knows both has
the mean and the variance of every channel of the batch; Huang et al. (NeurIPS 2021, arXiv 2112.00059) measure what they
are worth to an attacker. The statistics are exact for one local step, and an average over several.
"""

import copy

import torch
from torch import Tensor

from semsim.exceptions import InvalidUpdate
from semsim_training.gradients.batchnorm import ChannelStatistics, shares_of_steps
from semsim_training.observations.observation import Observation, Victim, batchnorms


def batch_statistics(observation: Observation) -> list[ChannelStatistics]:
    """The statistics of the client's batch at each batch normalisation, in order, each ``(C,)``.

    After several local steps they are averages, weighted by ``shares_of_steps``. Where the last batch of an epoch is
    short, the variances are exact only if those of all batches are alike.

    Raises:
        InvalidUpdate: the client did not send its running statistics, or a layer has no momentum to undo or runs more
            than once.
    """
    sent, training = observation.update.running_statistics, observation.update.local_training
    if not sent:
        raise InvalidUpdate("expected a client that sends its running statistics, got none")
    whole = [observation.images]
    batches = whole if training is None else [len(batch) for batch in training.batches(observation.images)]
    positions = _positions(observation.victim)
    recovered = []
    for name, layer in batchnorms(observation.victim.model):
        if not layer.momentum:
            raise InvalidUpdate(f"expected a momentum of batch normalisation in {name}, got {layer.momentum}")
        if len(positions.get(name, ())) != 1:
            raise InvalidUpdate(f"expected {name} to run once, got {len(positions.get(name, ()))} times")
        kept = (1 - layer.momentum) ** len(batches)
        mean, variance = (
            _before_momentum(layer.get_buffer(buffer), sent[f"{name}.{buffer}"], kept)
            for buffer in ("running_mean", "running_var")
        )
        # Running variances take in the unbiased variance; normalisation divides by the biased one.
        values = [batch * positions[name][0] for batch in batches]
        shares = shares_of_steps(layer, len(batches))
        unbiased = sum(share * count / (count - 1) for share, count in zip(shares, values, strict=True))
        recovered.append(ChannelStatistics(mean, variance / unbiased))
    return recovered


def _before_momentum(before: Tensor, after: Tensor, kept: float) -> Tensor:
    """The value that moved ``before`` to ``after``; in float64, because near numbers are subtracted."""
    return (after.double() - kept * before.detach().double()) / (1 - kept)


def _positions(victim: Victim) -> dict[str, list[int]]:
    """The number of positions of an image that each batch normalisation sees, each time that it runs."""
    model, seen = copy.deepcopy(victim.model).eval(), dict[str, list[int]]()

    def remember(name: str, inputs: tuple[Tensor, ...]) -> None:
        seen.setdefault(name, []).append(inputs[0].numel() // inputs[0].shape[1])

    for name, layer in batchnorms(model):
        layer.register_forward_pre_hook(lambda _, inputs, name=name: remember(name, inputs))
    with torch.no_grad():
        parameter = next(model.parameters())
        model(torch.zeros(1, *victim.inputs.shape, dtype=parameter.dtype, device=parameter.device))
    return seen
